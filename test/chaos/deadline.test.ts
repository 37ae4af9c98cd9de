import { expect, test, vi } from "vitest";
import { setTimeout as delay } from "node:timers/promises";
import { Annotation, type LangGraphRunnableConfig, START, StateGraph } from "@langchain/langgraph";
import { LangGraphApp, type GraphOptions } from "langgraph-functions";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { allEvents } from "../support/events.ts";
import { log, unsettled } from "../support/processes.ts";

/** Our host's queue: the test delivers its messages, each to an invocation of its own. */
const messages: object[] = [];
const queue = {
  check: async () => undefined,
  depth: async () => ({ messages: 0 }),
  send: async (wakeUp: object) => void messages.push(wakeUp),
  outlivesProcess: () => false,
};

const Count = Annotation.Root({
  count: Annotation<number>({ reducer: (_, next) => next, default: () => 0 }),
});
const STEPS = 20;
const STEP_MS = process.env["CHAOS"] === "long" ? 1_000 : 150;
/** Each invocation has time for five steps, its start and its end included. */
const INVOCATION_MS = 5 * STEP_MS;

/** Counts to twenty, one step after the other; tells of each step that it was taken. */
function counting(took: (step: number) => void, stepMs = (): number => STEP_MS) {
  return new StateGraph(Count)
    .addNode("step", async ({ count }) => {
      took(count);
      await delay(stepMs());
      return { count: count + 1 };
    })
    .addEdge(START, "step")
    .addConditionalEdges("step", ({ count }) => (count < STEPS ? "step" : "__end__"))
    .compile();
}

const everyCount = Array.from({ length: STEPS + 1 }, (_, count) => count);

interface Host {
  readonly app: LangGraphApp;
  readonly database: TestDatabase;
}

async function openHost(graph: GraphOptions["graph"]): Promise<Host & AsyncDisposable> {
  const database = await testDatabase();
  const app = new LangGraphApp({ authLevel: "anonymous" }).register({ name: "graph", graph });
  const settings = {
    database: { url: database.url, poolSize: 4, migrate: false },
    logLevel: "silent",
  } as const;
  app.doors({ settings, queue });
  return {
    app,
    database,
    [Symbol.asyncDispose]: async () => {
      await app[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

async function post({ app }: Host, path: string, body: object, deadlineMs?: number): Promise<Response> {
  const request = new Request(`http://localhost/api/graphs/graph/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return app.fetch(request, deadlineMs === undefined ? {} : { deadline: inMs(deadlineMs) });
}

function inMs(ms: number): Date {
  return new Date(Date.now() + ms);
}

async function runOf({ database }: Host, runId: string) {
  const [run] = await database.query(
    "select status, claims, attempt, error, output from langgraph.runs where run_id = $1",
    [runId],
  );
  return run;
}

async function deliverOne({ app }: Host, deadlineMs: number): Promise<void> {
  const [message] = messages.splice(0, 1);
  const invocation = { signal: new AbortController().signal, authLevel: "admin" } as const;
  await app.doors().work(message, { ...invocation, deadline: inMs(deadlineMs) });
}

/** Delivers the messages that there are, and those that come of it, until there are none. */
async function deliverAll(host: Host, deadlineMs: number): Promise<void> {
  while (messages.length > 0) await deliverOne(host, deadlineMs);
}

async function seqs({ database }: Host): Promise<readonly unknown[]> {
  const found = await database.query("select seq::int from langgraph.events order by seq");
  return found.map(({ seq }) => seq);
}

test("a run of twenty steps goes on past invocations with time for five, as one run with one gapless log", async () => {
  const taken: number[] = [];
  await using host = await openHost(counting((step) => taken.push(step)));
  const { run_id, thread_id } = await (await post(host, "runs", { input: { count: 0 } })).json();
  await deliverAll(host, INVOCATION_MS);
  const run = await runOf(host, run_id);
  expect(run).toMatchObject({ status: "success", output: { count: STEPS } });
  const invocations = Number(run?.["claims"]);
  expect(invocations).toBeGreaterThan(3);
  // On a slow machine, the time may be up in the middle of a step: it is taken again, and counts once.
  expect([...new Set(taken)]).toEqual(everyCount.slice(0, -1));
  expect(taken.length).toBeLessThan(STEPS + invocations);
  expect(await log(host.database.query, thread_id)).toEqual(everyCount.map((count) => ["values", { count }]));
  expect(await seqs(host)).toEqual(everyCount.map((count) => count + 1));
  expect(await unsettled(host.database.query)).toEqual([]);
});

test.each(["values", "updates"] as const)(
  "the client of a stream of %s keeps it when its run is handed over, as long as its own invocation lasts",
  async (stream_mode) => {
    let stepMs = 300;
    await using host = await openHost(
      counting(
        () => undefined,
        () => stepMs,
      ),
    );
    const config = { configurable: { thread_id: "t" } };
    // After three fifths of its time it hands the run over, and then it follows it.
    const answer = await post(host, "stream", { input: { count: 0 }, stream_mode, config }, 6_000);
    const events = allEvents(answer);
    await vi.waitFor(() => expect(messages).toHaveLength(1), { timeout: 90_000 });
    stepMs = 0;
    await deliverAll(host, 60_000);
    const expected =
      stream_mode === "values"
        ? everyCount.map((count) => ({ count }))
        : everyCount.slice(1).map((count) => ({ step: { count } }));
    expect(await events).toEqual([
      ...expected.map((data) => ({ event: "data", data })),
      { event: "end", data: {} },
    ]);
  },
);

test("a node that needs longer than any invocation has is given up after three attempts, with a reason", async () => {
  let attempts = 0;
  const stubborn = new StateGraph(Count)
    .addNode("first", () => ({ count: 1 }))
    .addNode("endless", async (_state, { signal }: LangGraphRunnableConfig) => {
      attempts += 1;
      await delay(60_000, {}, signal === undefined ? {} : { signal });
      return {};
    })
    .addEdge(START, "first")
    .addEdge("first", "endless")
    .compile();
  await using host = await openHost(stubborn);
  const config = { configurable: { thread_id: "t" } };
  const stuck = await (await post(host, "runs", { input: { count: 0 }, config })).json();
  const behind = await (await post(host, "runs", { input: { count: 0 }, config })).json();
  messages.splice(1); // of the second run's, only the one that the first one's end sends is delivered
  while (JSON.stringify(messages[0]).includes(stuck.run_id)) await deliverOne(host, 1_000);
  expect(attempts).toBe(4); // the first invocation got somewhere; the three after it did not
  const reason = "Given up after 3 attempts: the executor vanished or ran out of time in each";
  expect(await runOf(host, stuck.run_id)).toMatchObject({ status: "error", error: reason });
  expect((await log(host.database.query, "t")).at(-1)).toEqual([
    "error",
    { error: "timeout", message: reason },
  ]);
  expect(messages.splice(0)).toEqual([{ run_id: behind.run_id }]);
});
