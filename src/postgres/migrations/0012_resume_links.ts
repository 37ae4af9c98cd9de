export const resumeLinks = `
-- Links that answer an interrupt once. What they are signed with is not here, so nobody can make one of a row.
create table langgraph.resume_links (
  link_id uuid primary key,
  thread_id text not null references langgraph.threads on delete cascade,
  interrupt_id text not null,
  -- The thread's newest run when the link was made: an answer that a later one has brought ends the link.
  after_position bigint not null,
  assistant_id uuid not null,
  -- What the run that answers takes over from the one that asked.
  kwargs jsonb not null,
  -- Null where any answer will do.
  choices jsonb,
  message text,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  used_at timestamptz
);
create index resume_links_of_thread on langgraph.resume_links (thread_id);
create index resume_links_by_expiry on langgraph.resume_links (expires_at);
`;
