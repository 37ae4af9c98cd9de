-- What all migrations together make. Update it: UPDATE_SCHEMA=1 npx vitest run test/postgres

CREATE OR REPLACE FUNCTION langgraph.active_runs(caller text)
 RETURNS bigint
 LANGUAGE plpgsql
AS $function$
begin
  perform pg_advisory_xact_lock(hashtextextended('langgraph runs ' || caller, 0));
  return (select count(*) from langgraph.runs where identity = caller and status in ('pending', 'running'));
end $function$
;

create table langgraph.api_keys (
  key_id text not null,
  hash text not null,
  identity text not null,
  display_name text not null,
  permissions jsonb not null default '[]'::jsonb,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone,
  revoked_at timestamp with time zone,
  constraint api_keys_pkey PRIMARY KEY (key_id),
  constraint api_keys_identity_check CHECK ((identity <> ''::text))
);

create table langgraph.assistant_versions (
  assistant_id uuid not null,
  version integer not null,
  graph_id text not null,
  name text not null,
  description text,
  config jsonb,
  context jsonb,
  metadata jsonb not null,
  created_at timestamp with time zone not null,
  constraint assistant_versions_pkey PRIMARY KEY (assistant_id, version)
);

create table langgraph.assistants (
  assistant_id uuid not null,
  graph_id text not null,
  version integer not null default 1,
  last_version integer not null default 1,
  name text not null,
  description text,
  config jsonb,
  context jsonb,
  metadata jsonb not null,
  is_default boolean not null default false,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  owner text,
  constraint assistants_pkey PRIMARY KEY (assistant_id),
  constraint assistants_check CHECK ((is_default OR ((config IS NOT NULL) AND (context IS NOT NULL))))
);
CREATE INDEX assistants_by_creation ON langgraph.assistants USING btree (created_at, assistant_id);
CREATE INDEX assistants_by_graph ON langgraph.assistants USING btree (graph_id, assistant_id);
CREATE INDEX assistants_by_metadata ON langgraph.assistants USING gin (metadata jsonb_path_ops);
CREATE INDEX assistants_by_name ON langgraph.assistants USING btree (name, assistant_id);
CREATE INDEX assistants_by_update ON langgraph.assistants USING btree (updated_at, assistant_id);
CREATE INDEX assistants_of_owner ON langgraph.assistants USING btree (owner, created_at, assistant_id) WHERE (owner IS NOT NULL);

create table langgraph.crons (
  cron_id uuid not null,
  assistant_id uuid not null,
  thread_id text,
  schedule text not null,
  timezone text,
  end_time timestamp with time zone,
  enabled boolean not null,
  on_run_completed text,
  payload jsonb not null,
  metadata jsonb not null default '{}'::jsonb,
  user_id text,
  next_run_date timestamp with time zone,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  principal jsonb,
  scope jsonb,
  constraint crons_pkey PRIMARY KEY (cron_id),
  constraint crons_on_run_completed_check CHECK ((on_run_completed = ANY (ARRAY['delete'::text, 'keep'::text])))
);
CREATE INDEX crons_by_creation ON langgraph.crons USING btree (created_at, cron_id);
CREATE INDEX crons_by_metadata ON langgraph.crons USING gin (metadata jsonb_path_ops);
CREATE INDEX crons_due ON langgraph.crons USING btree (next_run_date) WHERE (next_run_date IS NOT NULL);
CREATE INDEX crons_of_assistant ON langgraph.crons USING btree (assistant_id, created_at);
CREATE INDEX crons_of_thread ON langgraph.crons USING btree (thread_id, created_at) WHERE (thread_id IS NOT NULL);
CREATE INDEX crons_of_user ON langgraph.crons USING btree (user_id, created_at, cron_id) WHERE (user_id IS NOT NULL);

create table langgraph.ended_threads (
  thread_id text not null,
  owner text,
  metadata jsonb not null,
  ended_at timestamp with time zone not null,
  constraint ended_threads_pkey PRIMARY KEY (thread_id)
);
CREATE INDEX ended_threads_by_age ON langgraph.ended_threads USING btree (ended_at);

create table langgraph.events (
  thread_id text not null,
  seq bigint not null,
  run_id uuid not null,
  event text not null,
  data text not null,
  created_at timestamp with time zone not null,
  constraint events_pkey PRIMARY KEY (thread_id, seq)
);
CREATE INDEX events_by_age ON langgraph.events USING btree (created_at);

create table langgraph.idempotency_keys (
  key text not null,
  digest text not null,
  thread_id text not null,
  run_id uuid,
  created_at timestamp with time zone not null,
  constraint idempotency_keys_pkey PRIMARY KEY (key)
);
CREATE INDEX idempotency_keys_by_age ON langgraph.idempotency_keys USING btree (created_at);

create table langgraph.migrations (
  version integer not null,
  applied_at timestamp with time zone not null default now(),
  breaks boolean not null default false,
  constraint migrations_pkey PRIMARY KEY (version)
);

CREATE OR REPLACE FUNCTION langgraph.open_streams(caller text)
 RETURNS bigint
 LANGUAGE plpgsql
AS $function$
begin
  perform pg_advisory_xact_lock(hashtextextended('langgraph streams ' || caller, 0));
  -- What instances that are gone have left, of any caller.
  delete from langgraph.streams where stream_id in (
    select stream_id from langgraph.streams where lease_until < now() order by lease_until limit 10 for update skip locked);
  return (select count(*) from langgraph.streams where identity = caller and lease_until >= now());
end $function$
;

create table langgraph.rate_limits (
  key character varying(255) not null,
  points integer not null default 0,
  expire bigint,
  constraint rate_limits_pkey PRIMARY KEY (key)
);
CREATE INDEX rate_limits_by_expire ON langgraph.rate_limits USING btree (expire);

create table langgraph.resume_links (
  link_id uuid not null,
  run_id uuid not null,
  interrupt_id text not null,
  principal jsonb,
  choices jsonb,
  message text,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  used_at timestamp with time zone,
  constraint resume_links_pkey PRIMARY KEY (link_id)
);
CREATE INDEX resume_links_by_expiry ON langgraph.resume_links USING btree (expires_at);
CREATE INDEX resume_links_of_run ON langgraph.resume_links USING btree (run_id);

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
  started_at timestamp with time zone,
  command_key text,
  identity text,
  client_due_at timestamp with time zone,
  constraint runs_pkey PRIMARY KEY (run_id),
  constraint runs_cancel_action_check CHECK ((cancel_action = ANY (ARRAY['interrupt'::text, 'rollback'::text]))),
  constraint runs_check CHECK (((status = 'running'::text) = (lease_id IS NOT NULL))),
  constraint runs_multitask_strategy_check CHECK ((multitask_strategy = ANY (ARRAY['reject'::text, 'enqueue'::text, 'interrupt'::text, 'rollback'::text]))),
  constraint runs_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'running'::text, 'error'::text, 'success'::text, 'timeout'::text, 'interrupted'::text])))
);
CREATE UNIQUE INDEX runs_by_command ON langgraph.runs USING btree (thread_id, command_key) WHERE ((command_key IS NOT NULL) AND (status = ANY (ARRAY['pending'::text, 'running'::text])));
CREATE INDEX runs_by_identity ON langgraph.runs USING btree (identity) WHERE ((identity IS NOT NULL) AND (status = ANY (ARRAY['pending'::text, 'running'::text])));
CREATE INDEX runs_by_lease ON langgraph.runs USING btree (lease_until) WHERE (status = 'running'::text);
CREATE INDEX runs_client_due ON langgraph.runs USING btree (client_due_at) WHERE ((status = 'pending'::text) AND (client_due_at IS NOT NULL));
CREATE INDEX runs_of_thread ON langgraph.runs USING btree (thread_id, "position" DESC);
CREATE UNIQUE INDEX runs_one_running_per_thread ON langgraph.runs USING btree (thread_id) WHERE (status = 'running'::text);
CREATE INDEX runs_waiting ON langgraph.runs USING btree (due_at) WHERE (status = 'pending'::text);
CREATE INDEX runs_waiting_of_thread ON langgraph.runs USING btree (thread_id, "position") WHERE (status = 'pending'::text);

create table langgraph.store_items (
  namespace text[] not null,
  key text not null,
  value jsonb not null,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  expires_at timestamp with time zone,
  ttl_minutes double precision,
  constraint store_items_pkey PRIMARY KEY (namespace, key)
);
CREATE INDEX store_items_by_expiry ON langgraph.store_items USING btree (expires_at) WHERE (expires_at IS NOT NULL);
CREATE INDEX store_items_by_update ON langgraph.store_items USING btree (updated_at);
CREATE INDEX store_items_by_value ON langgraph.store_items USING gin (value jsonb_path_ops);

create table langgraph.streams (
  stream_id uuid not null,
  identity text not null,
  lease_until timestamp with time zone not null,
  constraint streams_pkey PRIMARY KEY (stream_id)
);
CREATE INDEX streams_by_identity ON langgraph.streams USING btree (identity, lease_until);
CREATE INDEX streams_by_lease ON langgraph.streams USING btree (lease_until);

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
  ttl_minutes double precision,
  ttl_strategy text,
  expires_at timestamp with time zone,
  owner text,
  constraint threads_pkey PRIMARY KEY (thread_id),
  constraint threads_active_runs_check CHECK ((active_runs >= 0)),
  constraint threads_status_check CHECK ((status = ANY (ARRAY['idle'::text, 'busy'::text, 'interrupted'::text, 'error'::text]))),
  constraint threads_ttl_minutes_check CHECK ((ttl_minutes > (0)::double precision)),
  constraint threads_ttl_strategy_check CHECK ((ttl_strategy = ANY (ARRAY['delete'::text, 'keep_latest'::text])))
);
CREATE INDEX threads_by_creation ON langgraph.threads USING btree (created_at, thread_id) WHERE (NOT is_temporary);
CREATE INDEX threads_by_expiry ON langgraph.threads USING btree (expires_at) WHERE (expires_at IS NOT NULL);
CREATE INDEX threads_by_metadata ON langgraph.threads USING gin (metadata jsonb_path_ops) WHERE (NOT is_temporary);
CREATE INDEX threads_by_state_update ON langgraph.threads USING btree (state_updated_at, thread_id) WHERE (NOT is_temporary);
CREATE INDEX threads_by_status ON langgraph.threads USING btree (status, thread_id) WHERE (NOT is_temporary);
CREATE INDEX threads_by_update ON langgraph.threads USING btree (updated_at, thread_id) WHERE (NOT is_temporary);
CREATE INDEX threads_of_owner ON langgraph.threads USING btree (owner, updated_at, thread_id) WHERE ((owner IS NOT NULL) AND (NOT is_temporary));

create table langgraph.webhooks (
  webhook_id uuid not null,
  url text not null,
  body jsonb not null,
  created_at timestamp with time zone not null,
  due_at timestamp with time zone not null,
  attempts integer not null default 0,
  last_error text,
  failed_at timestamp with time zone,
  constraint webhooks_pkey PRIMARY KEY (webhook_id)
);
CREATE INDEX webhooks_due ON langgraph.webhooks USING btree (due_at) WHERE (failed_at IS NULL);
CREATE INDEX webhooks_failed ON langgraph.webhooks USING btree (failed_at) WHERE (failed_at IS NOT NULL);

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

alter table langgraph.assistant_versions add constraint assistant_versions_assistant_id_fkey FOREIGN KEY (assistant_id) REFERENCES langgraph.assistants(assistant_id) ON DELETE CASCADE;

alter table langgraph.crons add constraint crons_thread_id_fkey FOREIGN KEY (thread_id) REFERENCES langgraph.threads(thread_id) ON DELETE CASCADE;

alter table langgraph.resume_links add constraint resume_links_run_id_fkey FOREIGN KEY (run_id) REFERENCES langgraph.runs(run_id) ON DELETE CASCADE;

alter table langgraph.runs add constraint runs_thread_id_fkey FOREIGN KEY (thread_id) REFERENCES langgraph.threads(thread_id) ON DELETE CASCADE;
