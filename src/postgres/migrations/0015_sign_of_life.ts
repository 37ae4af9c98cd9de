export const signOfLife = `
alter table langgraph.runs
  -- When the client of its stream must be back, where none is seen to leave; null while it is there, or need not be.
  add column client_due_at timestamptz;
create index runs_client_due on langgraph.runs (client_due_at) where status = 'pending' and client_due_at is not null;
`;
