import { randomBytes } from "node:crypto";
import { Annotation, END, interrupt, Command, Send, START, StateGraph } from "@langchain/langgraph";
import {
  emptyCheckpoint,
  type BaseCheckpointSaver,
  type PendingWrite,
} from "@langchain/langgraph-checkpoint";
import { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres";
import { validate } from "@langchain/langgraph-checkpoint-validation";
import { expect, test, vi } from "vitest";
import { CheckpointWriter } from "../../src/postgres/checkpoint-writer.ts";
import { Checkpointer } from "../../src/postgres/checkpoints.ts";
import { openDatabase, type Database, type DatabaseSettings } from "../../src/postgres/pool.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";

const encryptionKeys = [{ id: "key", bytes: randomBytes(32) }];

const open = (url: string, more: Partial<DatabaseSettings> = {}): Database =>
  openDatabase({ url, poolSize: 4, migrate: false, ...more });

// The official suite, which makes a checkpointer for each group of its tests.
const opened = new Map<BaseCheckpointSaver, AsyncDisposable[]>();
for (const [checkpointerName, more] of [
  ["Checkpointer", {}],
  ["Checkpointer that encrypts", { encryptionKeys }],
] as const) {
  validate({
    checkpointerName,
    createCheckpointer: async () => {
      const test = await testDatabase();
      const database = open(test.url, more);
      const checkpointer = new Checkpointer(database);
      opened.set(checkpointer, [database, test]);
      return checkpointer;
    },
    destroyCheckpointer: async (checkpointer) => {
      for (const resource of opened.get(checkpointer) ?? []) await resource[Symbol.asyncDispose]();
    },
  });
}

const State = Annotation.Root({
  items: Annotation<string[]>({ reducer: (left, right) => left.concat(right), default: () => [] }),
});

/** Fans out over three items, then asks a human. */
function fanOut(checkpointer: BaseCheckpointSaver) {
  return new StateGraph(State)
    .addNode("plan", () => ({}))
    .addNode("work", ({ items }) => ({ items: items.map((item) => `${item}!`) }))
    .addNode("ask", () => ({ items: [String(interrupt("go on?"))] }))
    .addEdge(START, "plan")
    .addConditionalEdges("plan", () => ["a", "b", "c"].map((item) => new Send("work", { items: [item] })))
    .addEdge("work", "ask")
    .addEdge("ask", END)
    .compile({ checkpointer });
}

const thread = { configurable: { thread_id: "t" } };

async function history(checkpointer: BaseCheckpointSaver) {
  const found = [];
  for await (const state of fanOut(checkpointer).getStateHistory(thread)) found.push(state);
  return found;
}

test.each([
  ["ours writes, the stock saver reads and goes on", true],
  ["the stock saver writes, ours reads and goes on", false],
])("%s", async (_, oursFirst) => {
  await using test = await testDatabase();
  await using database = open(test.url);
  const savers = [new Checkpointer(database), new PostgresSaver(database.pool)];
  const [first, second] = oursFirst ? savers : savers.toReversed();
  if (first === undefined || second === undefined) throw new Error("two savers");

  await fanOut(first).invoke({ items: [] }, thread);
  expect(await history(second)).toEqual(await history(first));
  const done = await fanOut(second).invoke(new Command({ resume: "yes" }), thread);
  expect(done.items).toEqual(["a!", "b!", "c!", "yes"]);
  expect(await history(second)).toEqual(await history(first));
});

test("a run costs a fraction of the stock saver's queries", async () => {
  const count = async (make: (database: Database) => BaseCheckpointSaver): Promise<number> => {
    await using test = await testDatabase();
    await using database = open(test.url);
    let queries = 0;
    database.pool.on("connect", (client) => {
      const query = client.query.bind(client) as (...args: unknown[]) => unknown;
      Object.assign(client, { query: (...args: unknown[]) => ((queries += 1), query(...args)) });
    });
    await fanOut(make(database)).invoke({ items: [] }, thread);
    return queries;
  };
  const stock = await count((database) => new PostgresSaver(database.pool));
  const ours = await count((database) => new Checkpointer(database));
  expect(ours).toBeLessThanOrEqual(stock / 4);
});

async function runningRun(test: TestDatabase, threadId = "t") {
  const [run] = await test.query(`
    with thread as (
      insert into langgraph.threads (thread_id, status, active_runs, created_at, updated_at, state_updated_at)
      values ('${threadId}', 'busy', 1, now(), now(), now()) returning thread_id
    )
    insert into langgraph.runs (run_id, thread_id, assistant_id, graph_id, status, kwargs, multitask_strategy,
      created_at, updated_at, due_at, woken_at, lease_id, lease_until)
    select gen_random_uuid(), thread_id, gen_random_uuid(), 'x', 'running', '{}', 'reject',
      now(), now(), now(), now(), gen_random_uuid(), now() from thread
    returning run_id, lease_id`);
  return {
    run_id: String(run?.["run_id"]),
    lease_id: String(run?.["lease_id"]),
    thread_id: threadId,
    attempt: 1,
  };
}

test("whoever has lost the lease writes nothing more", async () => {
  await using test = await testDatabase();
  await using database = open(test.url);
  const lease = await runningRun(test);
  const saver = new Checkpointer(database, lease);
  await fanOut(saver).invoke({ items: [] }, thread);
  const before = await history(saver);

  await test.query("update langgraph.runs set lease_id = gen_random_uuid()");
  const late = fanOut(new Checkpointer(database, lease)).invoke(new Command({ resume: "late" }), thread);
  await expect(late).rejects.toThrow("taken over");
  expect(await history(saver)).toEqual(before);
});

const THREADS = ["a", "b", "c"] as const;

test("what a stopped graph is about to save when its run ends is not left behind", async () => {
  await using test = await testDatabase();
  await using database = open(test.url);
  const saver = new Checkpointer(database, await runningRun(test));
  const metadata = { source: "loop", step: 0, parents: {} } as const;
  const config = { configurable: { thread_id: "t", checkpoint_ns: "" } };
  const late = saver.put(config, emptyCheckpoint(), metadata, {});
  await saver.close();
  await late;
  expect(await test.query("select thread_id from public.checkpoints")).toEqual([]);
});

/** Three runs of one process, each with a thread and a lease of its own. */
async function threeRuns(test: TestDatabase, database: Database) {
  const writer = new CheckpointWriter(database);
  const leases = await Promise.all(THREADS.map(async (thread) => runningRun(test, thread)));
  const savers = leases.map((lease) => new Checkpointer(database, lease, {}, { writer }));
  const save = async (sources: readonly string[]) =>
    Promise.allSettled(
      savers.map(async (saver, index) => {
        const config = { configurable: { thread_id: THREADS[index] } };
        const metadata = { source: "input", step: -1, parents: {}, from: sources[index] } as const;
        return saver.put(config, emptyCheckpoint(), metadata, {});
      }),
    );
  const saved = async () => test.query("select thread_id from checkpoints order by thread_id");
  return { leases, save, saved };
}

test("what runs save at the same moment goes in one statement, and only for those that hold their lease", async () => {
  await using test = await testDatabase();
  await using database = open(test.url);
  const { leases, save, saved } = await threeRuns(test, database);
  await test.query(
    `update langgraph.runs set lease_id = gen_random_uuid() where run_id = '${leases[1]?.run_id}'`,
  );
  const asked = vi.spyOn(database, "query");
  const results = await save(["x", "x", "x"]);
  expect(asked).toHaveBeenCalledTimes(1);
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(await saved()).toEqual([{ thread_id: "a" }, { thread_id: "c" }]);
});

test("what one run cannot save does not keep others from saving theirs", async () => {
  await using test = await testDatabase();
  await using database = open(test.url);
  const { save, saved } = await threeRuns(test, database);
  const results = await save(["x", "no text of Postgres' has this: \u0000", "x"]);
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(await saved()).toEqual([{ thread_id: "a" }, { thread_id: "c" }]);
});

test("a write that fails is told once, and what is saved later is durable or told, never thrown", async () => {
  await using test = await testDatabase();
  await using database = open(test.url);
  const lease = await runningRun(test);
  const failures: unknown[] = [];
  const onFailure = (reason: unknown): void => void failures.push(reason);
  const saver = new Checkpointer(database, lease, {}, { onFailure, isAsync: true, isFresh: true });
  await fanOut(saver).invoke({ items: [] }, thread);
  await saver.saved();
  expect(failures).toEqual([]);
  const before = await history(new Checkpointer(database));
  expect(before.length).toBeGreaterThan(1);

  await test.query("update langgraph.runs set lease_id = gen_random_uuid()");
  const late = new Checkpointer(database, lease, {}, { onFailure, isAsync: true });
  await fanOut(late).invoke(new Command({ resume: "late" }), thread);
  await late.saved();
  expect(failures).toEqual([expect.objectContaining({ code: "unavailable" })]);
  expect(await history(new Checkpointer(database))).toEqual(before);
});

test("branches from one checkpoint keep what each of them has", async () => {
  await using test = await testDatabase();
  await using database = open(test.url);
  const graph = new StateGraph(Annotation.Root({ text: Annotation<string> }))
    .addNode("shout", ({ text }) => ({ text: `${text}!` }))
    .addEdge(START, "shout")
    .compile({ checkpointer: new Checkpointer(database) });
  await graph.invoke({ text: "root" }, thread);
  const { config } = await graph.getState(thread);
  for (const text of ["one", "other", "third"]) {
    expect(await graph.invoke({ text }, config)).toEqual({ text: `${text}!` });
    expect((await graph.getState(thread)).values).toEqual({ text: `${text}!` });
  }
});

test.each([
  ["a value", "checkpoint_blobs", "t.channel = o.channel and t.version <> o.version"],
  ["a write of a task in the place of another task's", "checkpoint_writes", "t.task_id <> o.task_id"],
  [
    "a write of a task in the place of its next",
    "checkpoint_writes",
    "t.task_id = o.task_id and t.idx <> o.idx",
  ],
])("%s that was moved does not open", async (_, table, moved) => {
  await using test = await testDatabase();
  await using database = open(test.url, { encryptionKeys });
  const saver = new Checkpointer(database);
  await fanOut(saver).invoke({ items: ["z"] }, thread);
  const { config } = (await history(saver)).at(0) ?? {};
  await saver.putWrites(
    { configurable: { ...thread.configurable, ...config?.configurable } },
    TWO_WRITES,
    "one",
  );
  await saver.putWrites(
    { configurable: { ...thread.configurable, ...config?.configurable } },
    TWO_WRITES,
    "two",
  );
  expect((await saver.getTuple(thread))?.pendingWrites?.length).toBeGreaterThanOrEqual(4);
  const changed = await test.query(`
    update ${table} t set type = o.type, blob = o.blob from ${table} o
    where t.checkpoint_ns = o.checkpoint_ns and t.type <> 'empty' and o.type <> 'empty' and ${moved} returning 1`);
  expect(changed).not.toEqual([]);
  await expect(history(saver)).rejects.toThrow(/does not open|changed places/);
});

const TWO_WRITES: PendingWrite[] = [
  ["items", ["first"]],
  ["items", ["second"]],
];

test("what the stock saver has written is read, and what is encrypted is an error to it", async () => {
  await using test = await testDatabase();
  await using database = open(test.url, { encryptionKeys });
  const [stock, ours] = [new PostgresSaver(database.pool), new Checkpointer(database)];
  await fanOut(stock).invoke({ items: [] }, thread);
  expect(await history(ours)).toEqual(await history(stock));
  const done = await fanOut(ours).invoke(new Command({ resume: "yes" }), thread);
  expect(done.items).toEqual(["a!", "b!", "c!", "yes"]);
  await expect(history(stock)).rejects.toThrow("json+aes256gcm:key");
});
