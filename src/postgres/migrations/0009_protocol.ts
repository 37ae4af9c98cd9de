export const protocol = `
-- Which command of the event streaming protocol started the run, for a client that sends it twice.
alter table langgraph.runs add column command_key text;
create unique index runs_by_command on langgraph.runs (thread_id, command_key)
  where command_key is not null and status in ('pending', 'running');
`;
