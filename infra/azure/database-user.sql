-- Makes the app's role where databaseAdministratorId names another administrator; README.md says how to run this. It may
-- be run again. The role may make its own tables, and nothing else.
select set_config('setup.role', :'role', false), set_config('setup.identity', :'identity', false);
do $$
declare
  app text := current_setting('setup.role');
begin
  if not exists (select from pg_roles where rolname = app) then
    execute format('create role %I login', app);
  end if;
  execute format('security label for "pgaadauth" on role %I is %L', app, 'aadauth,oid=' || current_setting('setup.identity') || ',type=service');
  execute format('grant connect, create, temporary on database %I to %I', current_database(), app);
  execute format('grant usage, create on schema public to %I', app);
end
$$;
