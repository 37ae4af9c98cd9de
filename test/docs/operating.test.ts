/** The SQL of docs/operating.md is what people paste when something is wrong: it must run, and do what it says. */

import { randomUUID } from "node:crypto";
import { expect, test, vi } from "vitest";
import { Annotation, START, StateGraph } from "@langchain/langgraph";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { gated, shout } from "../support/graphs.ts";
import { codeBlocks, readDocument } from "../support/markdown.ts";
import { startReceiver } from "../support/receiver.ts";
import { clientOf } from "../support/sdk.ts";
import { startServer } from "../support/server.ts";

const blocks = codeBlocks(await readDocument("docs/operating.md"), "sql");

/** The one block that has this in it, about a run, cron or webhook of ours. */
function statement(part: string, id: string = randomUUID()): string {
  const found = blocks.filter((block) => block.includes(part));
  if (found.length !== 1) throw new Error(`${found.length} blocks have ${part}`);
  return found.join("").replaceAll("00000000-0000-0000-0000-000000000000", id);
}

test("every statement runs on the schema", async () => {
  await using database = await testDatabase();
  expect(blocks.length).toBeGreaterThan(15);
  for (const block of blocks) await database.query(block);
});

interface StoredRun {
  readonly thread?: string;
  readonly status?: string;
  readonly due?: string;
  readonly woken?: string;
  /** From now. */
  readonly lease?: string;
}

/** A run as the server would have stored it. */
async function storeRun(
  { query }: TestDatabase,
  {
    thread = randomUUID(),
    status = "pending",
    due = "-1 second",
    woken = "-1 second",
    lease = "1 minute",
  }: StoredRun,
): Promise<string> {
  const run = randomUUID();
  const now = "now(), now()";
  await query(
    `insert into langgraph.threads (thread_id, status, active_runs, created_at, updated_at, state_updated_at)
     values ($1, 'busy', 1, ${now}, now()) on conflict (thread_id) do update set active_runs = threads.active_runs + 1`,
    [thread],
  );
  await query(
    `insert into langgraph.runs (run_id, thread_id, assistant_id, graph_id, status, kwargs, multitask_strategy,
       created_at, updated_at, due_at, woken_at, lease_id, lease_until)
     values ($1, $2, gen_random_uuid(), 'shout', $3, '{}', 'enqueue', ${now}, now() + $4::interval, now() + $5::interval,
       case when $3 = 'running' then gen_random_uuid() end, case when $3 = 'running' then now() + $6::interval end)`,
    [run, thread, status, due, woken, lease],
  );
  return run;
}

test.for<[string, StoredRun]>([
  ["it has ended", { status: "success" }],
  ["it executes", { status: "running" }],
  ["its executor has vanished", { status: "running", lease: "-1 second" }],
  ["it is not due yet", { due: "1 hour" }],
  ["nobody has woken a worker for it", { woken: "-1 hour" }],
  ["no worker has taken it yet", {}],
])("of a run like that it says: %s", async ([verdict, run]) => {
  await using database = await testDatabase();
  const id = await storeRun(database, run);
  expect(await database.query(statement("as verdict", id))).toMatchObject([{ verdict }]);
});

test("of a run behind another one it says so, and how many are before it", async () => {
  await using database = await testDatabase();
  await storeRun(database, { thread: "busy", status: "running" });
  const id = await storeRun(database, { thread: "busy" });
  const verdict = "it waits for another run of its thread";
  expect(await database.query(statement("as verdict", id))).toMatchObject([{ verdict }]);
  expect(await database.query(statement("as line"))).toMatchObject([{ run_id: id, line: "1" }]);
});

/** A run that executes, in a graph whose only step waits until the test opens its gate. The server ticks each second. */
async function executingRun() {
  const { graph, ...gate } = gated();
  const graphs = [
    { name: "gated", graph },
    { name: "shout", graph: shout },
  ];
  const server = await startServer({ graphs });
  const client = clientOf(server);
  const { thread_id } = await client.threads.create();
  const { run_id } = await client.runs.create(thread_id, "gated", { input: { text: "a" } });
  await gate.entered;
  const [stored] = await server.database.query(statement("as verdict", run_id));
  expect(stored).toMatchObject({ verdict: "it executes", claims: 1 });
  return {
    ...gate,
    client,
    thread_id,
    run_id,
    perform: async (part: string) => server.database.query(statement(part, run_id)),
    run: async () => client.runs.get(thread_id, run_id),
    [Symbol.asyncDispose]: async () => {
      gate.open();
      await server[Symbol.asyncDispose]();
    },
  };
}

const soon = { timeout: 20_000, interval: 50 };

test("a run that is ended by hand stays ended, and its thread takes the next one", async () => {
  await using executing = await executingRun();
  await executing.perform("Ended by hand");
  expect(await executing.run()).toMatchObject({ status: "error" });
  const { client, thread_id } = executing;
  expect(await client.threads.get(thread_id)).toMatchObject({ status: "error" });
  expect(await client.runs.wait(thread_id, "shout", { input: { text: "b" } })).toEqual({ text: "b!" });
  executing.open();
  expect(await client.runs.wait(thread_id, "shout", { input: { text: "c" } })).toEqual({ text: "c!" });
  expect(await executing.run()).toMatchObject({ status: "error" });
  expect(await client.threads.get(thread_id)).toMatchObject({ status: "idle", values: { text: "c!" } });
});

test("a run that is taken away from its executor goes on with another one", async () => {
  await using executing = await executingRun();
  await executing.perform("set lease_id = gen_random_uuid()");
  await vi.waitFor(async () => {
    const [stored] = await executing.perform("as verdict");
    expect(stored).toMatchObject({ verdict: "it executes", claims: 2 });
  }, soon);
  executing.open();
  const values = { text: "a after all" };
  expect(await executing.client.runs.join(executing.thread_id, executing.run_id)).toEqual(values);
  expect(await executing.run()).toMatchObject({ status: "success" });
});

test("a run whose message is lost is woken by the next tick when it is requeued", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const client = clientOf(server);
  const { thread_id } = await client.threads.create();
  const later = { input: { text: "a" }, afterSeconds: 3_600 };
  const { run_id } = await client.runs.create(thread_id, "shout", later);
  await server.database.query("update langgraph.runs set due_at = now(), woken_at = now()");
  await server.database.query(statement("woken_at = now() - interval '1 hour'", run_id));
  expect(await client.runs.join(thread_id, run_id)).toEqual({ text: "a!" });
});

test("a run without an input goes on where the last one of its thread failed", async () => {
  const State = Annotation.Root({ done: Annotation<string[]>({ reducer: (a, b) => [...a, ...b] }) });
  let isBroken = true;
  const graph = new StateGraph(State)
    .addNode("first", () => ({ done: ["first"] }))
    .addNode("second", () => {
      if (isBroken) throw new Error("The model is away");
      return { done: ["second"] };
    })
    .addEdge(START, "first")
    .addEdge("first", "second")
    .compile();
  await using server = await startServer({ graphs: [{ name: "two", graph }] });
  const client = clientOf(server);
  const { thread_id } = await client.threads.create();
  await client.runs.wait(thread_id, "two", { input: { done: [] }, raiseError: false });
  isBroken = false;
  const done = ["first", "second"];
  expect(await client.runs.wait(thread_id, "two", { input: null })).toEqual({ done });
});

test("a webhook that was given up is sent by the next tick when it is asked for again", async () => {
  await using receiver = await startReceiver();
  const graphs = [{ name: "shout", graph: shout }];
  await using server = await startServer({ graphs, webhooks: { allowPrivateAddresses: true } });
  const id = randomUUID();
  await server.database.query(
    `insert into langgraph.webhooks (webhook_id, url, body, created_at, due_at, attempts, last_error, failed_at)
     values ($1, $2, '{}', now(), now(), 10, 'The receiver answered 500', now())`,
    [id, receiver.url],
  );
  await server.database.query(statement("set failed_at = null", id));
  const [sent] = await receiver.after(1);
  expect(sent?.headers["webhook-id"]).toBe(id);
});
