/** Crons, each with the next time it is due at; and an index by which old events are found, which the BRIN one did not do once rows were deleted. */
export const crons = `
create table langgraph.crons (
  cron_id uuid primary key,
  assistant_id uuid not null,
  thread_id text references langgraph.threads on delete cascade,
  schedule text not null,
  timezone text,
  end_time timestamptz,
  enabled boolean not null,
  on_run_completed text check (on_run_completed in ('delete', 'keep')),
  payload jsonb not null,
  metadata jsonb not null default '{}',
  user_id text,
  next_run_date timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null
);
create index crons_due on langgraph.crons (next_run_date) where next_run_date is not null;
create index crons_by_creation on langgraph.crons (created_at, cron_id);
create index crons_of_assistant on langgraph.crons (assistant_id, created_at);
create index crons_of_thread on langgraph.crons (thread_id, created_at) where thread_id is not null;
create index crons_by_metadata on langgraph.crons using gin (metadata jsonb_path_ops);

drop index langgraph.events_by_age;
create index events_by_age on langgraph.events (created_at);
`;
