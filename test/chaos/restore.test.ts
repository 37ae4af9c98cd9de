/** What docs/operating.md says of a restore: the database goes back to a point in time, and nothing else does. */

import { randomUUID } from "node:crypto";
import { Annotation, START, StateGraph } from "@langchain/langgraph";
import { LangGraphApp } from "langgraph-functions";
import { serveLocally } from "langgraph-functions/local";
import { Client as Postgres } from "pg";
import { expect, inject, test, vi } from "vitest";
import { testDatabase } from "../support/database.ts";
import { codeBlocks, readDocument } from "../support/markdown.ts";
import { startReceiver } from "../support/receiver.ts";
import { allParts, clientOf } from "../support/sdk.ts";

const NUMBERS = codeBlocks(await readDocument("docs/operating.md"), "sql").find((block) =>
  block.includes("set last_seq = last_seq +"),
);

async function ask(url: string, statement: string): Promise<readonly Record<string, unknown>[]> {
  const client = new Postgres({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(statement)).rows;
  } finally {
    await client.end();
  }
}

/** Of a database that nobody uses: what a restore to this moment makes. */
async function restored(from: string): Promise<string> {
  const copy = new URL(from);
  copy.pathname = `/restored_${randomUUID().replaceAll("-", "")}`;
  const [original, name] = [new URL(from), copy].map(({ pathname }) => pathname.slice(1));
  await ask(inject("postgresUrl"), `create database ${name} template ${original}`);
  return copy.href;
}

/** Two steps, of which the second one waits for a gate; how often each was entered. */
function steps() {
  const State = Annotation.Root({ done: Annotation<string[]>({ reducer: (a, b) => [...a, ...b] }) });
  const entered = { first: 0, second: 0 };
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const graph = new StateGraph(State)
    .addNode("first", () => {
      entered.first += 1;
      return { done: ["first"] };
    })
    .addNode("second", async () => {
      entered.second += 1;
      await opened;
      return { done: ["second"] };
    })
    .addEdge(START, "first")
    .addEdge("first", "second")
    .compile();
  return { graph, entered, open };
}

async function serve(databaseUrl: string, graph: ReturnType<typeof steps>["graph"]) {
  const logger = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const app = new LangGraphApp({ logger, webhooks: { allowPrivateAddresses: true } });
  app.register({ name: "steps", graph });
  const server = await serveLocally(app, { port: 0, databaseUrl });
  const client = clientOf(server);
  return { app, client, [Symbol.asyncDispose]: async () => server[Symbol.asyncDispose]() };
}

const soon = { timeout: 60_000, interval: 50 };
const LEFT = `select from langgraph.runs where status in ('pending', 'running')`;
const CRON_RUNS = `select count(*)::int as runs from langgraph.runs where metadata ? 'cron_id'`;

test("after a restore, what went on at that point goes on from its checkpoint, and is told of once more under the same id", async () => {
  const { graph, entered, open } = steps();
  await using receiver = await startReceiver();
  await using database = await testDatabase();
  let ids = { thread_id: "", run_id: "" };
  {
    await using server = await serve(database.url, graph);
    const { thread_id } = await server.client.threads.create();
    const run = { input: { done: [] }, webhook: receiver.url };
    const { run_id } = await server.client.runs.create(thread_id, "steps", run);
    const cron = { schedule: "0 0 1 1 *", input: { done: [] }, onRunCompleted: "keep" } as const;
    await server.client.crons.create("steps", cron);
    await vi.waitFor(() => expect(entered).toEqual({ first: 1, second: 1 }), soon);
    ids = { thread_id, run_id };
  }
  // As if that server had been in the middle of it when the backup was made, three days ago.
  await database.query(
    `update langgraph.runs set status = 'running', lease_id = gen_random_uuid(), lease_until = now() - interval '3 days'`,
  );
  await database.query(`update langgraph.crons set next_run_date = now() - interval '3 years'`);
  const copy = await restored(database.url);
  open();

  const follow = async ({ client }: Awaited<ReturnType<typeof serve>>) => {
    const options = { lastEventId: "-1" };
    const parts = await allParts(client.runs.joinStream(ids.thread_id, ids.run_id, options));
    return parts.map(({ id }) => Number(id));
  };
  let later = "";
  let numbers: number[] = [];
  {
    await using server = await serve(database.url, graph);
    numbers = await follow(server);
    await receiver.after(1);
    await vi.waitFor(async () => expect(await database.query(CRON_RUNS)).toEqual([{ runs: 1 }]), soon);
    later = (await server.client.runs.create(ids.thread_id, "steps", { input: { done: [] } })).run_id;
    await vi.waitFor(async () => expect(await database.query(LEFT)).toEqual([]), soon);
  }
  const before = { ...entered };

  await ask(copy, NUMBERS ?? "");
  await using server = await serve(copy, graph);
  const again = await follow(server);
  expect(await server.client.runs.get(ids.thread_id, ids.run_id)).toMatchObject({ status: "success" });
  expect(Math.min(...again.slice(-1))).toBeGreaterThan(Math.max(...numbers));
  const sent = await receiver.after(2);
  expect(sent.map(({ headers }) => headers["webhook-id"])).toEqual([ids.run_id, ids.run_id]);
  await vi.waitFor(async () => expect(await ask(copy, CRON_RUNS)).toEqual([{ runs: 1 }]), soon);
  await vi.waitFor(async () => expect(await ask(copy, LEFT)).toEqual([]), soon);
  // The cron's run has both steps, the one that was restored only what was after its checkpoint.
  expect(entered).toEqual({ first: before.first + 1, second: before.second + 2 });

  const invocation = { signal: new AbortController().signal, authLevel: "admin" } as const;
  await server.app.doors().work({ run_id: later }, invocation);
  expect(await ask(copy, `select from langgraph.runs where run_id = '${later}'`)).toEqual([]);
}, 120_000);
