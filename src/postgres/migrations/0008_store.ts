/**
 * A table of our own, not that of LangGraph's `PostgresStore`: that one joins labels with colons, which labels may
 * contain, forgets an item's own time to live, stamps `updated_at` with the database's time whenever a row is touched,
 * and has another shape in Python, under the same name. Labels as a list, compared byte by byte, make all that is below
 * a namespace one range of the primary key.
 */
export const store = `
create table langgraph.store_items (
  namespace text[] collate "C" not null,
  key text collate "C" not null,
  value jsonb not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  expires_at timestamptz,
  -- What a read that refreshes adds to its own time.
  ttl_minutes double precision,
  primary key (namespace, key)
);
create index store_items_by_value on langgraph.store_items using gin (value jsonb_path_ops);
create index store_items_by_update on langgraph.store_items (updated_at);
create index store_items_by_expiry on langgraph.store_items (expires_at) where expires_at is not null;
`;
