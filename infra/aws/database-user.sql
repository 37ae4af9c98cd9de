-- The user as whom the functions sign in with IAM; infra/aws/README.md says how to run this. It may be run again.
do $$
begin
  if not exists (select from pg_roles where rolname = 'langgraph') then
    create role langgraph login;
  end if;
  grant rds_iam to langgraph;
  grant connect, create, temporary on database langgraph to langgraph;
  grant usage, create on schema public to langgraph;
  if exists (select from pg_available_extensions where name = 'vector') then
    create extension if not exists vector; -- for the store's search by meaning
  end if;
end
$$;
