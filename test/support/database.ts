import { randomUUID } from "node:crypto";
import { Client } from "pg";
import { inject } from "vitest";

export interface TestDatabase extends AsyncDisposable {
  readonly url: string;
  readonly query: (text: string, values?: unknown[]) => Promise<Record<string, unknown>[]>;
}

/** Databases that tests of this process have done with: emptying one is several times faster than making one. */
const emptied: string[] = [];

/** A database of its own, with the current schema (or none), for the length of the scope. */
export async function testDatabase({ migrated = true } = {}): Promise<TestDatabase> {
  const name = (migrated ? emptied.pop() : undefined) ?? (await create(migrated));
  const url = new URL(inject("postgresUrl"));
  url.pathname = `/${name}`;
  return {
    url: url.href,
    query: async (text, values) => send(url.href, text, values),
    [Symbol.asyncDispose]: async () => {
      await disconnectOthers(name);
      if (!migrated || !(await hasItsSchema(url.href)))
        return void (await send(inject("postgresUrl"), `drop database ${name} with (force)`));
      await send(url.href, EMPTY);
      emptied.push(name);
    },
  };
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

/** Drops what tests have made in the schema public, and empties every table but the lists of migrations. */
const EMPTY = `do $$ begin
  execute coalesce((
    select 'drop table ' || string_agg(format('public.%I', tablename), ', ') || ' cascade'
    from pg_tables where schemaname = 'public' and tablename not like 'checkpoint%'), 'select');
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
