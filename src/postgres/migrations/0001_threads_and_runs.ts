export const threadsAndRuns = `
create table langgraph.threads (
  thread_id text primary key,
  status text not null check (status in ('idle', 'busy', 'interrupted', 'error')),
  metadata jsonb not null default '{}',
  config jsonb not null default '{}',
  "values" jsonb,
  interrupts jsonb not null default '{}',
  created_at timestamptz not null,
  updated_at timestamptz not null,
  state_updated_at timestamptz not null,
  -- Pending and running runs. Kept by every statement that starts or ends one: its row lock decides their races.
  active_runs integer not null default 0 check (active_runs >= 0),
  -- The newest event's number when no run was executing; the holder of a run's lease counts on from it.
  last_seq bigint not null default 0,
  -- Made for a single run, and gone with it.
  is_temporary boolean not null default false
);

-- For searches, which pass over temporary threads; those cost no index entries.
create index threads_by_metadata on langgraph.threads using gin (metadata jsonb_path_ops) where not is_temporary;
create index threads_by_creation on langgraph.threads (created_at, thread_id) where not is_temporary;
create index threads_by_update on langgraph.threads (updated_at, thread_id) where not is_temporary;
create index threads_by_state_update on langgraph.threads (state_updated_at, thread_id) where not is_temporary;
create index threads_by_status on langgraph.threads (status, thread_id) where not is_temporary;

create table langgraph.runs (
  run_id uuid primary key,
  thread_id text not null references langgraph.threads on delete cascade,
  assistant_id uuid not null,
  status text not null check (status in ('pending', 'running', 'error', 'success', 'timeout', 'interrupted')),
  metadata jsonb not null default '{}',
  kwargs jsonb not null,
  multitask_strategy text not null check (multitask_strategy in ('reject', 'enqueue', 'interrupt', 'rollback')),
  created_at timestamptz not null,
  updated_at timestamptz not null,
  graph_id text not null,
  -- Runs of a thread execute in this order.
  position bigint generated always as identity,
  due_at timestamptz not null,
  -- When a message for it was last sent.
  woken_at timestamptz not null,
  claims integer not null default 0,
  -- Claims since the run last got anywhere.
  attempt integer not null default 0,
  lease_id uuid,
  lease_until timestamptz,
  cancel_action text check (cancel_action in ('interrupt', 'rollback')),
  error text,
  output jsonb,
  check ((status = 'running') = (lease_id is not null))
);

-- Two runs at once on one thread are impossible, whatever else goes wrong.
create unique index runs_one_running_per_thread on langgraph.runs (thread_id) where status = 'running';
create index runs_of_thread on langgraph.runs (thread_id, position desc);
create index runs_waiting_of_thread on langgraph.runs (thread_id, position) where status = 'pending';
create index runs_waiting on langgraph.runs (due_at) where status = 'pending';
create index runs_by_lease on langgraph.runs (lease_until) where status = 'running';

-- What runs have streamed. Not tied to its thread: followers of a run whose temporary thread is gone still read its end.
create table langgraph.events (
  thread_id text not null,
  seq bigint not null,
  run_id uuid not null,
  event text not null,
  data text not null,
  created_at timestamptz not null,
  primary key (thread_id, seq)
);
create index events_by_age on langgraph.events using brin (created_at);
`;
