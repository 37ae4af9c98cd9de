export const apiKeys = `
create table langgraph.api_keys (
  key_id text primary key,
  -- Of the whole key, which is stored nowhere.
  hash text not null,
  identity text not null check (identity <> ''),
  display_name text not null,
  permissions jsonb not null default '[]',
  created_at timestamptz not null,
  expires_at timestamptz,
  revoked_at timestamptz
);
`;
