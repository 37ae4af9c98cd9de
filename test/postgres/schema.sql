-- What all migrations together make. Update it: UPDATE_SCHEMA=1 npx vitest run test/postgres

create table langgraph.events (
  thread_id text not null,
  seq bigint not null,
  run_id uuid not null,
  event text not null,
  data text not null,
  created_at timestamp with time zone not null,
  constraint events_pkey PRIMARY KEY (thread_id, seq)
);
CREATE INDEX events_by_age ON langgraph.events USING brin (created_at);

create table langgraph.migrations (
  version integer not null,
  applied_at timestamp with time zone not null default now(),
  constraint migrations_pkey PRIMARY KEY (version)
);

create table langgraph.rate_limits (
  key character varying(255) not null,
  points integer not null default 0,
  expire bigint,
  constraint rate_limits_pkey PRIMARY KEY (key)
);
CREATE INDEX rate_limits_by_expire ON langgraph.rate_limits USING btree (expire);

create table langgraph.runs (
  run_id uuid not null,
  thread_id text not null,
  assistant_id uuid not null,
  status text not null,
  metadata jsonb not null default '{}'::jsonb,
  kwargs jsonb not null,
  multitask_strategy text not null,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  graph_id text not null,
  "position" bigint not null,
  due_at timestamp with time zone not null,
  woken_at timestamp with time zone not null,
  claims integer not null default 0,
  attempt integer not null default 0,
  lease_id uuid,
  lease_until timestamp with time zone,
  cancel_action text,
  error text,
  output jsonb,
  command_key text,
  constraint runs_pkey PRIMARY KEY (run_id),
  constraint runs_cancel_action_check CHECK ((cancel_action = ANY (ARRAY['interrupt'::text, 'rollback'::text]))),
  constraint runs_check CHECK (((status = 'running'::text) = (lease_id IS NOT NULL))),
  constraint runs_multitask_strategy_check CHECK ((multitask_strategy = ANY (ARRAY['reject'::text, 'enqueue'::text, 'interrupt'::text, 'rollback'::text]))),
  constraint runs_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'running'::text, 'error'::text, 'success'::text, 'timeout'::text, 'interrupted'::text])))
);
CREATE UNIQUE INDEX runs_by_command ON langgraph.runs USING btree (thread_id, command_key) WHERE ((command_key IS NOT NULL) AND (status = ANY (ARRAY['pending'::text, 'running'::text])));
CREATE INDEX runs_by_lease ON langgraph.runs USING btree (lease_until) WHERE (status = 'running'::text);
CREATE INDEX runs_of_thread ON langgraph.runs USING btree (thread_id, "position" DESC);
CREATE UNIQUE INDEX runs_one_running_per_thread ON langgraph.runs USING btree (thread_id) WHERE (status = 'running'::text);
CREATE INDEX runs_waiting ON langgraph.runs USING btree (due_at) WHERE (status = 'pending'::text);
CREATE INDEX runs_waiting_of_thread ON langgraph.runs USING btree (thread_id, "position") WHERE (status = 'pending'::text);

create table langgraph.threads (
  thread_id text not null,
  status text not null,
  metadata jsonb not null default '{}'::jsonb,
  config jsonb not null default '{}'::jsonb,
  "values" jsonb,
  interrupts jsonb not null default '{}'::jsonb,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  state_updated_at timestamp with time zone not null,
  active_runs integer not null default 0,
  last_seq bigint not null default 0,
  is_temporary boolean not null default false,
  constraint threads_pkey PRIMARY KEY (thread_id),
  constraint threads_active_runs_check CHECK ((active_runs >= 0)),
  constraint threads_status_check CHECK ((status = ANY (ARRAY['idle'::text, 'busy'::text, 'interrupted'::text, 'error'::text])))
);
CREATE INDEX threads_by_creation ON langgraph.threads USING btree (created_at, thread_id) WHERE (NOT is_temporary);
CREATE INDEX threads_by_metadata ON langgraph.threads USING gin (metadata jsonb_path_ops) WHERE (NOT is_temporary);
CREATE INDEX threads_by_state_update ON langgraph.threads USING btree (state_updated_at, thread_id) WHERE (NOT is_temporary);
CREATE INDEX threads_by_status ON langgraph.threads USING btree (status, thread_id) WHERE (NOT is_temporary);
CREATE INDEX threads_by_update ON langgraph.threads USING btree (updated_at, thread_id) WHERE (NOT is_temporary);

create table public.checkpoint_blobs (
  thread_id text not null,
  checkpoint_ns text not null default ''::text,
  channel text not null,
  version text not null,
  type text not null,
  blob bytea,
  constraint checkpoint_blobs_pkey PRIMARY KEY (thread_id, checkpoint_ns, channel, version)
);

create table public.checkpoint_migrations (
  v integer not null,
  constraint checkpoint_migrations_pkey PRIMARY KEY (v)
);

create table public.checkpoint_writes (
  thread_id text not null,
  checkpoint_ns text not null default ''::text,
  checkpoint_id text not null,
  task_id text not null,
  idx integer not null,
  channel text not null,
  type text,
  blob bytea not null,
  constraint checkpoint_writes_pkey PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx)
);

create table public.checkpoints (
  thread_id text not null,
  checkpoint_ns text not null default ''::text,
  checkpoint_id text not null,
  parent_checkpoint_id text,
  type text,
  checkpoint jsonb not null,
  metadata jsonb not null default '{}'::jsonb,
  constraint checkpoints_pkey PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id)
);

alter table langgraph.runs add constraint runs_thread_id_fkey FOREIGN KEY (thread_id) REFERENCES langgraph.threads(thread_id) ON DELETE CASCADE;
