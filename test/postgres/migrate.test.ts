import { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres";
import { MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { AIMessage } from "@langchain/core/messages";
import { LangGraphApp } from "langgraph-functions";
import { Client, Pool, type PoolClient } from "pg";
import { expect, test, vi } from "vitest";
import { migrate } from "../../src/postgres/migrate.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { counter } from "../support/graphs.ts";
import { launch, testFolder } from "../support/program.ts";
import { dumpSchema } from "./catalog.ts";

const MIGRATIONS = 14; // one more for each that is added
const ALL = Array.from({ length: MIGRATIONS }, (_, index) => index + 1);

async function migrateOnce(url: string): Promise<number> {
  const pool = new Pool({ connectionString: url, max: 1 });
  try {
    return await migrate(pool);
  } finally {
    await pool.end();
  }
}

const versions = async (database: TestDatabase): Promise<unknown[]> =>
  (await database.query("select version from langgraph.migrations order by version")).map(
    ({ version }) => version,
  );

const thread = { configurable: { thread_id: "conversation" } };

/** What our server replies on the thread. */
async function replyOfServer(database: TestDatabase): Promise<string> {
  await using app = new LangGraphApp().register({ name: "counter", graph: counter, authLevel: "anonymous" });
  app.doors({
    settings: { database: { url: database.url, poolSize: 2, migrate: true }, logLevel: "silent" },
  });
  const body = JSON.stringify({ input: { messages: [{ role: "user", content: "hi" }] }, config: thread });
  const init = { method: "POST", headers: { "content-type": "application/json" }, body };
  const response = await app.fetch(new Request("http://test/api/graphs/counter/invoke", init));
  return await response.text();
}

/** What the same graph replies when LangGraph runs it, with its own saver. */
async function replyOfLangGraph(saver: PostgresSaver): Promise<unknown> {
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("count", ({ messages }) => ({ messages: [new AIMessage(`message ${messages.length}`)] }))
    .addEdge(START, "count")
    .compile({ checkpointer: saver });
  const { messages } = await graph.invoke({ messages: [{ role: "user", content: "hi" }] }, thread);
  return messages.at(-1)?.text;
}

function stockSaver({ url }: TestDatabase): PostgresSaver & AsyncDisposable {
  const saver = PostgresSaver.fromConnString(url);
  return Object.assign(saver, { [Symbol.asyncDispose]: async () => saver.end() });
}

test("a new database gets every migration, and the next start has nothing to do", async () => {
  await using database = await testDatabase({ migrated: false });
  expect(await migrateOnce(database.url)).toBe(MIGRATIONS);
  expect(await versions(database)).toEqual(ALL);
  expect(await migrateOnce(database.url)).toBe(0);
  await using template = await testDatabase();
  expect(await dumpSchema(database)).toBe(await dumpSchema(template));
});

test("a start that has nothing to do costs one query", async () => {
  await using database = await testDatabase();
  const pool = new Pool({ connectionString: database.url });
  const queries: { readonly mock: { readonly calls: readonly unknown[] } }[] = [];
  pool.on("connect", (client: PoolClient) => queries.push(vi.spyOn(client, "query")));
  expect(await migrate(pool)).toBe(0);
  await pool.end();
  expect(queries.flatMap(({ mock }) => mock.calls)).toHaveLength(1);
});

test("of eight instances that start at once, each migration is applied by one", async () => {
  await using database = await testDatabase({ migrated: false });
  const applied = await Promise.all(Array.from({ length: 8 }, async () => migrateOnce(database.url)));
  expect(applied.reduce((sum, count) => sum + count)).toBe(MIGRATIONS);
  expect(await versions(database)).toEqual(ALL);
});

test("three processes that start at once on a new database all serve", async () => {
  await using database = await testDatabase({ migrated: false });
  await using folder = await testFolder();
  const start = () => launch({ folder, env: { DATABASE_URL: database.url } });
  await using first = start();
  await using second = start();
  await using third = start();
  await Promise.all([first.serving(), second.serving(), third.serving()]);
  expect(await versions(database)).toEqual(ALL);
});

test("what the stock saver has stored is there for our server", async () => {
  await using database = await testDatabase({ migrated: false });
  await using saver = stockSaver(database);
  await saver.setup();
  expect(await replyOfLangGraph(saver)).toBe("message 1");
  expect(await replyOfServer(database)).toContain("message 3");
});

test("the stock saver's setup changes nothing after us, and reads what our server stored", async () => {
  await using database = await testDatabase({ migrated: false });
  expect(await replyOfServer(database)).toContain("message 1");
  const schema = await dumpSchema(database);
  await using saver = stockSaver(database);
  await saver.setup();
  expect(await dumpSchema(database)).toBe(schema);
  expect(await replyOfLangGraph(saver)).toBe("message 3");
});

/** As Python's `langgraph-checkpoint-postgres` makes them, at its version 9, and a thread of its. */
const PYTHON = `
create table checkpoint_migrations (v integer primary key);
insert into checkpoint_migrations select generate_series(0, 9);
create table checkpoints (thread_id text not null, checkpoint_ns text not null default '', checkpoint_id text not null,
  parent_checkpoint_id text, type text, checkpoint jsonb not null, metadata jsonb not null default '{}',
  primary key (thread_id, checkpoint_ns, checkpoint_id));
create table checkpoint_blobs (thread_id text not null, checkpoint_ns text not null default '', channel text not null,
  version text not null, type text not null, blob bytea, primary key (thread_id, checkpoint_ns, channel, version));
create table checkpoint_writes (thread_id text not null, checkpoint_ns text not null default '', checkpoint_id text not null,
  task_id text not null, idx integer not null, channel text not null, type text, blob bytea not null,
  task_path text not null default '', primary key (thread_id, checkpoint_ns, checkpoint_id, task_id, idx));
create index checkpoints_thread_id_idx on checkpoints (thread_id);
insert into checkpoints (thread_id, checkpoint_id, checkpoint, metadata) values ('python', '1efb2f6a-0000-6000-8000-000000000001',
  '{"v": 4, "id": "1efb2f6a-0000-6000-8000-000000000001", "ts": "2026-01-01T00:00:00+00:00", "channel_values": {},
    "channel_versions": {"messages": "00000000000000000000000000000002.0.1"}, "versions_seen": {}}',
  '{"source": "loop", "step": 1, "parents": {}}');
insert into checkpoint_blobs (thread_id, channel, version, type, blob)
  values ('python', 'messages', '00000000000000000000000000000002.0.1', 'msgpack', '\\x91a26869')`;

test("beside the threads of Python's saver, new ones work; its own cannot be read, and are told so", async () => {
  await using database = await testDatabase({ migrated: false });
  await database.query(PYTHON);
  expect(await replyOfServer(database)).toContain("message 1");
  const reasons: string[] = [];
  const error = (fields: object): void =>
    void reasons.push("err" in fields ? String(fields.err) : JSON.stringify(fields));
  await using app = new LangGraphApp({ logger: { info: () => undefined, warn: () => undefined, error } });
  app.register({ name: "counter", graph: counter, authLevel: "anonymous" });
  app.doors({ settings: { database: { url: database.url, poolSize: 2, migrate: true }, logLevel: "info" } });
  const config = { configurable: { thread_id: "python" } };
  const body = JSON.stringify({ input: { messages: [{ role: "user", content: "hi" }] }, config });
  const headers = { "content-type": "application/json" };
  for (const [path, init] of [
    ["invoke", { method: "POST", headers, body }],
    ["threads/python/state", {}],
  ] as const) {
    const response = await app.fetch(new Request(`http://test/api/graphs/counter/${path}`, init));
    expect([response.status, await response.text()]).toEqual([500, expect.stringMatching(/error id/)]);
  }
  expect(reasons).toEqual(Array.from({ length: 2 }, () => "Error: Unknown serialization type: msgpack"));
});

test.for([0, 1, 2, 3, 4])("a stock schema of version %i becomes the same as a new one", async (version) => {
  await using database = await testDatabase({ migrated: false });
  await using saver = stockSaver(database);
  await saver.setup();
  await database.query("delete from checkpoint_migrations where v > $1", [version]);
  if (version < 4) await database.query("alter table checkpoint_blobs alter column blob set not null");
  for (const [table, since] of [
    ["checkpoint_writes", 3],
    ["checkpoint_blobs", 2],
    ["checkpoints", 1],
  ] as const) {
    if (version < since) await database.query(`drop table ${table}`);
  }
  await migrateOnce(database.url);
  await using template = await testDatabase();
  expect(await dumpSchema(database)).toBe(await dumpSchema(template));
  expect(await database.query("select v from checkpoint_migrations order by v")).toEqual(
    [0, 1, 2, 3, 4].map((v) => ({ v })),
  );
});

test("a migration that fails halfway leaves nothing behind, is named, and goes through once it can", async () => {
  await using database = await testDatabase({ migrated: false });
  await database.query("create table checkpoint_blobs (somebody_elses integer)");
  await expect(migrateOnce(database.url)).rejects.toThrow(
    /^The migration 0002_checkpoints failed, and nothing of it was kept: .*"blob".* does not exist$/,
  );
  expect(await versions(database)).toEqual([1]);
  expect(await database.query("select to_regclass('checkpoints') as table")).toEqual([{ table: null }]);

  await database.query("drop table checkpoint_blobs");
  expect(await migrateOnce(database.url)).toBe(MIGRATIONS - 1);
});

/** Other instances look at the list of migrations when they start, and so does `/status`. */
test("while a migration takes its time, nobody has to wait to see which ones there are", async () => {
  await using database = await testDatabase({ migrated: false });
  await database.query(`create schema langgraph;
    create table langgraph.migrations (version integer primary key, applied_at timestamptz not null default now())
    -- as the first releases made it`);
  const somebody = new Client({ connectionString: database.directUrl });
  await somebody.connect();
  await somebody.query("begin; create table checkpoint_blobs ()"); // the migration that makes it waits
  const migrating = migrateOnce(database.url);
  const waiting =
    "select from pg_stat_activity where datname = current_database() and query like '%table%checkpoint_blobs%' and wait_event_type = 'Lock'";
  await vi.waitFor(async () => expect(await database.query(waiting)).toHaveLength(1), { timeout: 15_000 });
  await database.query("begin; lock table langgraph.migrations in access share mode nowait; commit");
  await somebody.query("rollback");
  await somebody.end();
  expect(await migrating).toBe(MIGRATIONS);
  await using template = await testDatabase();
  expect(await dumpSchema(database)).toBe(await dumpSchema(template));
});

test("a release goes on with the schema of a newer one", async () => {
  await using database = await testDatabase({ migrated: false });
  await migrateOnce(database.url);
  await database.query("alter table langgraph.runs add column newer text not null default 'x'");
  await database.query("insert into langgraph.migrations (version) values ($1)", [MIGRATIONS + 1]);
  expect(await migrateOnce(database.url)).toBe(0);
  expect(await replyOfServer(database)).toContain("message 1");
  expect(await versions(database)).toEqual([...ALL, MIGRATIONS + 1]);
});

test("a schema that a newer release has broken for this one is refused, with what to do", async () => {
  await using database = await testDatabase();
  await database.query("insert into langgraph.migrations (version, breaks) values (98, true), (99, false)");
  const refusal = new RegExp(
    `schema is at version 99, .* knows ${MIGRATIONS}: a newer release has used the database. Deploy that release`,
  );
  await expect(migrateOnce(database.url)).rejects.toThrow(refusal);
});
