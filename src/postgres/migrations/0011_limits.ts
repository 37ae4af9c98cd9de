/**
 * What one caller has at a time. The functions count under a lock that is kept to the end of the statement's transaction,
 * and with a snapshot from after it: who comes next counts what this one has added.
 */
export const limits = `
create table langgraph.streams (
  stream_id uuid primary key,
  identity text not null,
  lease_until timestamptz not null
);
create index streams_by_identity on langgraph.streams (identity, lease_until);
create index streams_by_lease on langgraph.streams (lease_until);

create function langgraph.open_streams(caller text) returns bigint language plpgsql volatile as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('langgraph streams ' || caller, 0));
  -- What instances that are gone have left, of any caller.
  delete from langgraph.streams where stream_id in (
    select stream_id from langgraph.streams where lease_until < now() order by lease_until limit 10 for update skip locked);
  return (select count(*) from langgraph.streams where identity = caller and lease_until >= now());
end $$;

-- Of whose runs there may only be so many; null where there is no limit.
alter table langgraph.runs add column identity text;
create index runs_by_identity on langgraph.runs (identity)
  where identity is not null and status in ('pending', 'running');

create function langgraph.active_runs(caller text) returns bigint language plpgsql volatile as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('langgraph runs ' || caller, 0));
  return (select count(*) from langgraph.runs where identity = caller and status in ('pending', 'running'));
end $$;
`;
