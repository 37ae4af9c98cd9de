export const webhooks = `
-- When it was claimed for the first time.
alter table langgraph.runs add column started_at timestamptz;

-- What is to be told of runs that have ended. Not tied to them: a run may be gone with its temporary thread.
create table langgraph.webhooks (
  -- The run's.
  webhook_id uuid primary key,
  url text not null,
  -- All but when it is sent.
  body jsonb not null,
  created_at timestamptz not null,
  -- The next attempt; while one is under way, when it counts as lost.
  due_at timestamptz not null,
  attempts integer not null default 0,
  last_error text,
  -- After the last attempt; one that was delivered is gone.
  failed_at timestamptz
);
create index webhooks_due on langgraph.webhooks (due_at) where failed_at is null;
create index webhooks_failed on langgraph.webhooks (failed_at) where failed_at is not null;
`;
