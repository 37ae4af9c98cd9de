/**
 * The tables of `@langchain/langgraph-checkpoint-postgres` 1.x at its schema version 4, made so that a database which
 * the stock saver has set up already (at any of its versions) ends up the same.
 */
export const checkpoints = `
create table if not exists public.checkpoint_migrations (v integer primary key);

create table if not exists public.checkpoints (
  thread_id text not null,
  checkpoint_ns text not null default '',
  checkpoint_id text not null,
  parent_checkpoint_id text,
  type text,
  checkpoint jsonb not null,
  metadata jsonb not null default '{}',
  primary key (thread_id, checkpoint_ns, checkpoint_id)
);

create table if not exists public.checkpoint_blobs (
  thread_id text not null,
  checkpoint_ns text not null default '',
  channel text not null,
  version text not null,
  type text not null,
  blob bytea,
  primary key (thread_id, checkpoint_ns, channel, version)
);
alter table public.checkpoint_blobs alter column blob drop not null;

create table if not exists public.checkpoint_writes (
  thread_id text not null,
  checkpoint_ns text not null default '',
  checkpoint_id text not null,
  task_id text not null,
  idx integer not null,
  channel text not null,
  type text,
  blob bytea not null,
  primary key (thread_id, checkpoint_ns, checkpoint_id, task_id, idx)
);

insert into public.checkpoint_migrations (v) select generate_series(0, 4) on conflict do nothing;
`;
