import { randomUUID } from "node:crypto";
import { Client } from "pg";
import { inject } from "vitest";

export interface TestDatabase extends AsyncDisposable {
  /** For what is tested: by way of a pooler, where there is one. */
  readonly url: string;
  /** Past the pooler, as a user who may do everything. */
  readonly directUrl: string;
  readonly query: (text: string, values?: unknown[]) => Promise<Record<string, unknown>[]>;
}

/** Databases that tests of this process have done with: emptying one is several times faster than making one. */
const emptied: string[] = [];

/** A database of its own, with the current schema (or none), for the length of the scope. */
export async function testDatabase({ migrated = true } = {}): Promise<TestDatabase> {
  const name = (migrated ? emptied.pop() : undefined) ?? (await create(migrated));
  const url = new URL(inject("postgresUrl"));
  url.pathname = `/${name}`;
  const directUrl = url.href;
  return {
    url: servedUrl(directUrl, migrated),
    directUrl,
    query: async (text, values) => send(directUrl, text, values),
    [Symbol.asyncDispose]: async () => {
      await disconnectOthers(name);
      if (!migrated || !(await hasItsSchema(directUrl)))
        return void (await send(inject("postgresUrl"), `drop database ${name} with (force)`));
      await send(directUrl, EMPTY);
      emptied.push(name);
    },
  };
}

/** Who makes the schema must be somebody who may. */
function servedUrl(directUrl: string, migrated: boolean): string {
  const pooler = inject("poolerUrl");
  if (pooler === undefined) return directUrl;
  const { pathname, username, password } = new URL(directUrl);
  const url = new URL(pooler);
  url.pathname = pathname;
  if (!migrated) Object.assign(url, { username, password });
  return url.href;
}

/** False when a test has changed what the database says of its schema. */
async function hasItsSchema(url: string): Promise<boolean> {
  const statement = "select max(version) = count(*) as intact from langgraph.migrations";
  const [row] = await send(url, statement).catch(() => []);
  return row?.["intact"] === true;
}

async function create(migrated: boolean): Promise<string> {
  const name = `test_${randomUUID().replaceAll("-", "")}`;
  await send(
    inject("postgresUrl"),
    `create database ${name} template ${migrated ? "langgraph_template" : "template0"}`,
  );
  return name;
}

/** What a test has left running must not write into the next one's data. */
async function disconnectOthers(name: string): Promise<void> {
  await send(
    inject("postgresUrl"),
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1",
    [name],
  );
}

/** Drops the tables and functions that tests have made in the schema public, and empties every table but the lists of migrations. */
const EMPTY = `do $$ begin
  execute coalesce((
    select 'drop table ' || string_agg(format('public.%I', tablename), ', ') || ' cascade'
    from pg_tables where schemaname = 'public' and tablename not like 'checkpoint%'), 'select');
  execute coalesce((
    select 'drop function ' || string_agg(oid::regprocedure::text, ', ') || ' cascade'
    from pg_proc
    where pronamespace = 'public'::regnamespace
      and not exists (select from pg_depend where objid = pg_proc.oid and deptype = 'e')), 'select');
  execute (
    select 'truncate ' || string_agg(format('%I.%I', schemaname, tablename), ', ') || ' restart identity cascade'
    from pg_tables
    where schemaname in ('langgraph', 'public') and tablename not in ('migrations', 'checkpoint_migrations'));
end $$`;

async function send(url: string, text: string, values?: unknown[]): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  client.on("error", () => undefined); // a database that is dropped takes its connections along
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text, values)).rows;
  } finally {
    await client.end();
  }
}
