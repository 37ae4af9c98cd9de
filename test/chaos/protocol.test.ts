import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { setTimeout as delay } from "node:timers/promises";
import { Annotation, type LangGraphRunnableConfig, START, StateGraph } from "@langchain/langgraph";
import { LangGraphApp, type GraphOptions } from "langgraph-functions";
import { testDatabase } from "../support/database.ts";
import {
  buildWorker,
  diaryDatabase,
  executions,
  lapse,
  startWorkers,
  type WorkerProgram,
} from "../support/processes.ts";
import { dataOf, isEnd, openStream, outline, startRun, type ProtocolEvent } from "../support/protocol.ts";

/** Our host's queue: the test delivers its messages, each to an invocation of its own. */
const messages: object[] = [];
const queue = {
  check: async () => undefined,
  depth: async () => ({ messages: 0 }),
  send: async (wakeUp: object) => void messages.push(wakeUp),
  outlivesProcess: () => false,
};

let program: WorkerProgram;
beforeAll(async () => (program = await buildWorker()));
afterAll(async () => program[Symbol.asyncDispose]());

const State = Annotation.Root({
  count: Annotation<number>({ reducer: (_, next) => next, default: () => 0 }),
});
const STEPS = 20;
const everyCount = Array.from({ length: STEPS + 1 }, (_, count) => count);

/** Counts to twenty, one short step after the other, each in a subgraph. */
function counting() {
  const step = new StateGraph(State)
    .addNode("add", async ({ count }) => {
      await delay(50);
      return { count: count + 1 };
    })
    .addEdge(START, "add")
    .compile();
  return new StateGraph(State)
    .addNode("step", step)
    .addEdge(START, "step")
    .addConditionalEdges("step", ({ count }) => (count < STEPS ? "step" : "__end__"))
    .compile();
}

/** An app on a function host: what is asked of it has so long. */
async function openHost(graph: GraphOptions["graph"], requestMs = 60_000) {
  const database = await testDatabase();
  const app = new LangGraphApp({ authLevel: "anonymous" }).register({ name: "graph", graph });
  const settings = {
    database: { url: database.url, poolSize: 4, migrate: false },
    logLevel: "silent",
  } as const;
  app.doors({ settings, queue });
  const inMs = (ms: number): Date => new Date(Date.now() + ms);
  return {
    url: "http://localhost/api",
    database,
    fetch: async (request: Request) => app.fetch(request, { deadline: inMs(requestMs) }),
    deliver: async (deadlineMs: number) => {
      const [message = {}] = messages.splice(0, 1);
      const invocation = { signal: new AbortController().signal, authLevel: "admin" } as const;
      await app.doors().work(message, { ...invocation, deadline: inMs(deadlineMs) });
    },
    [Symbol.asyncDispose]: async () => {
      await app[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

function inRoot(events: readonly ProtocolEvent[]): readonly ProtocolEvent[] {
  return events.filter(({ params }) => params.namespace.length === 0);
}

test("a run that goes from invocation to invocation is told of as one", async () => {
  await using host = await openHost(counting());
  await using live = await openStream(host, "t");
  const run_id = await startRun(host, "t", { assistant_id: "graph", input: { count: 0 } });
  while (messages.length > 0) await host.deliver(700);
  const [run] = await host.database.query("select claims from langgraph.runs where run_id = $1", [run_id]);
  expect(Number(run?.["claims"])).toBeGreaterThan(1);
  const events = await live.until(isEnd);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  const root = inRoot(events);
  expect(dataOf(root, "values")).toEqual(everyCount.map((count) => ({ count })));
  expect(dataOf(root, "updates")).toEqual(everyCount.slice(1).map((count) => ({ count })));
  expect(dataOf(root, "tasks")).toHaveLength(2 * STEPS);
  const told = outline(events);
  for (const once of ["lifecycle running", "lifecycle completed"])
    expect(told.filter((line) => line === once)).toHaveLength(1);
  for (const each of ["lifecycle step started", "lifecycle step completed"])
    expect(told.filter((line) => line === each)).toHaveLength(STEPS);
  await using late = await openStream(host, "t");
  expect(await late.until(isEnd)).toEqual(events);
});

test("a stream ends cleanly before its invocation does, and the next one begins where the first one did", async () => {
  await using host = await openHost(counting(), 800);
  await startRun(host, "t", { assistant_id: "graph", input: { count: 0 } });
  const working = host.deliver(60_000);
  const seen = new Map<string, ProtocolEvent>();
  for (let streams = 1; ![...seen.values()].some(isEnd); streams += 1) {
    await using stream = await openStream(host, "t");
    const events = await stream.until();
    expect(events[0]?.seq).toBe(1);
    for (const event of events) expect(seen.get(event.event_id) ?? event).toEqual(event);
    for (const event of events) seen.set(event.event_id, event);
    expect(streams).toBeLessThan(20);
  }
  await working;
  const seqs = [...seen.values()].map(({ seq }) => seq);
  expect(seqs).toEqual(seqs.map((_, index) => index + 1));
});

test("a run that never gets anywhere is told to have failed", async () => {
  const stubborn = new StateGraph(State)
    .addNode("endless", async (_state, { signal }: LangGraphRunnableConfig) => {
      await delay(60_000, {}, signal === undefined ? {} : { signal });
      return {};
    })
    .addEdge(START, "endless")
    .compile();
  await using host = await openHost(stubborn);
  await startRun(host, "t", { assistant_id: "graph", input: { count: 0 } });
  while (messages.length > 0) await host.deliver(300);
  await using stream = await openStream(host, "t", { channels: ["lifecycle"] });
  const error = "Given up after 3 attempts: the executor vanished or ran out of time in each";
  expect(dataOf(await stream.until(isEnd), "lifecycle")).toEqual([
    { event: "running", graph_name: "graph" },
    { event: "failed", graph_name: "graph", error },
  ]);
});

test("whose executor is killed goes on elsewhere, and who follows it there has each event once", async () => {
  await using database = await diaryDatabase();
  await using workers = await startWorkers(program, database.url, 2);
  const [first, second] = workers;
  if (first === undefined || second === undefined) throw new Error("There are two workers");
  await using stream = await openStream(second, "t");
  await startRun(first, "t", { assistant_id: "fan", input: { text: "gate" } });
  await stream.until(({ method, params }) => method === "updates" && params.node === "fast");
  const patience = { timeout: 90_000, interval: 50 };
  await vi.waitFor(async () => {
    const saved = "select distinct task_id from public.checkpoint_writes where channel = 'texts'";
    expect(await database.query(saved)).toHaveLength(1);
  }, patience);
  await first.kill();
  await lapse(database.query);
  await database.query("insert into gates values ('gate')");
  const events = await stream.until(isEnd);
  const executed = await executions(database.query); // the first two began at the same moment
  expect(executed.toSorted()).toEqual(["fast finished", "join finished", "slow finished", "slow null"]);
  const told = outline(events);
  expect(told.filter((line) => line === "lifecycle running")).toHaveLength(1);
  expect(told.at(-1)).toBe("lifecycle completed");
  expect(events.flatMap(({ method, params }) => (method === "updates" ? [params.node] : []))).toEqual([
    "fast",
    "slow",
    "join",
  ]);
  const seqs = events.map(({ seq }) => seq);
  expect(seqs).toEqual([...new Set(seqs)].toSorted((one, other) => one - other));
  await using late = await openStream(second, "t");
  expect(await late.until(isEnd)).toEqual(events);
});
