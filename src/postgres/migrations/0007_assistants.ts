export const assistants = `
create table langgraph.assistants (
  assistant_id uuid primary key,
  graph_id text not null,
  -- The one in force.
  version integer not null default 1,
  -- The newest one's number: numbers are not used again.
  last_version integer not null default 1,
  name text not null,
  description text,
  -- Null where the default assistant of a graph has what the graph is registered with.
  config jsonb,
  context jsonb,
  metadata jsonb not null,
  is_default boolean not null default false,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check (is_default or (config is not null and context is not null))
);
create index assistants_by_metadata on langgraph.assistants using gin (metadata jsonb_path_ops);
create index assistants_by_graph on langgraph.assistants (graph_id, assistant_id);
create index assistants_by_creation on langgraph.assistants (created_at, assistant_id);
create index assistants_by_update on langgraph.assistants (updated_at, assistant_id);
create index assistants_by_name on langgraph.assistants (name, assistant_id);

create table langgraph.assistant_versions (
  assistant_id uuid not null references langgraph.assistants on delete cascade,
  version integer not null,
  graph_id text not null,
  name text not null,
  description text,
  config jsonb,
  context jsonb,
  metadata jsonb not null,
  created_at timestamptz not null,
  primary key (assistant_id, version)
);
`;
