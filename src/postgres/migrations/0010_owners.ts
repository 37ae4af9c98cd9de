/** Whom things belong to; null where callers were not told apart when they were made. Crons have `user_id` for it. */
export const owners = `
alter table langgraph.threads add column owner text;
create index threads_of_owner on langgraph.threads (owner, updated_at, thread_id) where owner is not null and not is_temporary;

alter table langgraph.assistants add column owner text;
create index assistants_of_owner on langgraph.assistants (owner, created_at, assistant_id) where owner is not null;

-- On whose behalf the runs of a cron execute, and which threads they reach.
alter table langgraph.crons add column principal jsonb;
alter table langgraph.crons add column scope jsonb;
create index crons_of_user on langgraph.crons (user_id, created_at, cron_id) where user_id is not null;

-- Temporary threads that are gone: who may still read what their runs have streamed.
create table langgraph.ended_threads (
  thread_id text primary key,
  owner text,
  metadata jsonb not null,
  ended_at timestamptz not null
);
create index ended_threads_by_age on langgraph.ended_threads (ended_at);
`;
