export const resumeLinks = `
-- Links that answer an interrupt once. What they are signed with is not here, so nobody can make one of a row.
create table langgraph.resume_links (
  link_id uuid primary key,
  -- The run that asked, and left its thread waiting.
  run_id uuid not null references langgraph.runs on delete cascade,
  interrupt_id text not null,
  -- On whose behalf it is answered; null for whoever asked for that run.
  principal jsonb,
  -- Null where any answer will do.
  choices jsonb,
  message text,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  used_at timestamptz
);
create index resume_links_of_run on langgraph.resume_links (run_id);
create index resume_links_by_expiry on langgraph.resume_links (expires_at);
`;
