export const lifetimes = `
-- What requests with an Idempotency-Key have made; the requests themselves are not kept.
create table langgraph.idempotency_keys (
  key text primary key,
  digest text not null,
  thread_id text not null,
  -- Null when it was a thread that was asked for.
  run_id uuid,
  created_at timestamptz not null
);
create index idempotency_keys_by_age on langgraph.idempotency_keys (created_at);

-- How long a thread is kept after its last change, and what becomes of it then.
alter table langgraph.threads
  add column ttl_minutes double precision check (ttl_minutes > 0),
  add column ttl_strategy text check (ttl_strategy in ('delete', 'keep_latest')),
  add column expires_at timestamptz;
create index threads_by_expiry on langgraph.threads (expires_at) where expires_at is not null;
`;
