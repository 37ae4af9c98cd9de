export const threadsAndRuns = `
create table langgraph.threads (
  thread_id text primary key,
  assistant_id text,
  status text not null check (status in ('idle', 'busy', 'interrupted', 'error')),
  metadata jsonb not null default '{}',
  created_at timestamptz not null,
  updated_at timestamptz not null
);

create table langgraph.runs (
  run_id uuid primary key,
  thread_id text not null references langgraph.threads on delete cascade,
  assistant_id text not null,
  status text not null check (status in ('pending', 'running', 'error', 'success', 'timeout', 'interrupted')),
  error text,
  metadata jsonb not null default '{}',
  lease_id uuid,
  lease_until timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null
);

-- Two runs at once on one thread are impossible, whatever else goes wrong.
create unique index runs_one_running_per_thread on langgraph.runs (thread_id) where status = 'running';
create index runs_of_thread on langgraph.runs (thread_id, created_at);
create index runs_by_lease on langgraph.runs (lease_until) where status = 'running';
`;
