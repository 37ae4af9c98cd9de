/** A host that does not see its clients leave: `on_disconnect: "cancel"` and `cancel_on_disconnect` there. */

import { setImmediate as nextTurn } from "node:timers/promises";
import { Annotation, type LangGraphRunnableConfig, START, StateGraph } from "@langchain/langgraph";
import { EventSourceParserStream } from "eventsource-parser/stream";
import { LangGraphApp, type AppOptions } from "langgraph-functions";
import { expect, test, vi } from "vitest";
import { testDatabase } from "../support/database.ts";

/** One step after the other, until the test holds it; a step that is held waits to be let go, or to be aborted. Then there is one more. */
function stepping(checkpointer?: false) {
  let release = (): void => undefined;
  let held: Promise<void> | undefined;
  let left = Infinity;
  const entered: number[] = [];
  const aborted: number[] = [];
  const step = async ({ count }: { count: number }, { signal }: LangGraphRunnableConfig) => {
    entered.push(count);
    await nextTurn(); // where timers fire
    await Promise.race([held, new Promise((resolve) => signal?.addEventListener("abort", resolve))]);
    if (signal?.aborted === true) aborted.push(count);
    left -= 1;
    return { count: count + 1 };
  };
  const graph = new StateGraph(Annotation.Root({ count: Annotation<number> }))
    .addNode("step", step)
    .addEdge(START, "step")
    .addConditionalEdges("step", () => (left > 0 ? "step" : "__end__"))
    .compile(checkpointer === undefined ? {} : { checkpointer });
  const hold = (): void => {
    held ??= new Promise((resolve) => (release = resolve));
  };
  const letGo = (): void => {
    left = 2;
    release();
  };
  return { graph, entered, aborted, hold, letGo };
}

interface HostOptions extends AppOptions {
  readonly outlivesProcess?: boolean;
  readonly seesClients?: boolean;
  readonly checkpointer?: false;
  readonly context?: () => object;
}

/** The app behind a host that asks for a sign of life at once; messages are delivered when the test says so. */
async function startHost({
  outlivesProcess = true,
  seesClients = false,
  checkpointer,
  context,
  ...app
}: HostOptions = {}) {
  const database = await testDatabase();
  const messages: object[] = [];
  const queue = {
    outlivesProcess: () => outlivesProcess,
    check: async () => undefined,
    depth: async () => ({ messages: 0 }),
    send: async (wakeUp: object) => {
      if ("run_id" in wakeUp) messages.push(wakeUp);
    },
  };
  const steps = stepping(checkpointer);
  const served = new LangGraphApp({ authLevel: "anonymous", ...app }).register({
    name: "steps",
    graph: steps.graph,
    ...(context === undefined ? {} : { context }),
  });
  const settings = {
    database: { url: database.url, poolSize: 4, migrate: false },
    logLevel: "silent",
  } as const;
  const doors = served.doors({ settings, queue });
  const { signal } = new AbortController();
  const invocation = { signal, authLevel: "admin" } as const;
  const send = async (path: string, init: RequestInit = {}, signOfLifeMs = 1): Promise<Response> =>
    doors.fetch(new Request(`http://here/api${path}`, init), {
      ...invocation,
      ...(seesClients ? {} : { signOfLifeMs }),
    });
  return {
    ...steps,
    messages,
    send,
    /** Asks for a run, and for its updates. */
    run: async (path: string, more: object = {}): Promise<Response> =>
      send(path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          assistant_id: "steps",
          input: { count: 0 },
          config: { recursion_limit: 10_000 },
          stream_mode: "updates",
          on_disconnect: "cancel",
          if_not_exists: "create",
          ...more,
        }),
      }),
    /** Hands the messages that have come to a worker, and does not wait for it. */
    deliver: () => void messages.splice(0).map(async (message) => doors.work(message, invocation)),
    tick: async () => doors.tick(invocation),
    runs: async () =>
      database.query(
        `select status, claims, client_due_at > now() as is_awaited from langgraph.runs order by position`,
      ),
    /** For how many seconds the run still waits for its client. */
    patience: async () =>
      database.query("select extract(epoch from client_due_at - now())::int as seconds from langgraph.runs"),
    /** The client has had all the time that it gets. */
    runOutOfGrace: async () =>
      database.query("update langgraph.runs set client_due_at = now() - interval '1 millisecond'"),
    [Symbol.asyncDispose]: async () => {
      await served[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

type Host = Awaited<ReturnType<typeof startHost>>;

interface ReadEvent {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly data: unknown;
}

/** What the stream has until it ends or is broken off. */
async function readAll(
  response: Response,
): Promise<{ readonly events: ReadEvent[]; readonly wasCut: boolean }> {
  const events: ReadEvent[] = [];
  const stream = response.body
    ?.pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream());
  try {
    for await (const { id, event, data } of stream ?? []) events.push({ id, event, data: JSON.parse(data) });
    return { events, wasCut: false };
  } catch (error) {
    expect(error).toMatchObject({ name: "StreamCut" });
    return { events, wasCut: true };
  }
}

/** A stream whose client has been asked for a sign of life: its run waits for a worker, and then stays where it is. */
async function openCutStream(host: Host, path = "/threads/t/runs/stream") {
  const response = await host.run(path, path.startsWith("/runs") ? { if_not_exists: undefined } : {});
  const { events, wasCut } = await readAll(response);
  expect(wasCut).toBe(true);
  expect(await host.runs()).toEqual([{ status: "pending", claims: 1, is_awaited: true }]);
  host.hold();
  return { events, location: response.headers.get("location") ?? "", steps: host.entered.length };
}

const PATIENCE = { timeout: 20_000 };

async function untilEntered(host: Host, steps: number): Promise<void> {
  await vi.waitFor(() => expect(host.entered).toHaveLength(steps), PATIENCE);
}

async function untilRuns(host: Host, expected: readonly object[]): Promise<void> {
  await vi.waitFor(async () => expect(await host.runs()).toMatchObject(expected), PATIENCE);
}

test("a client that comes back has every event once, and its run goes on with a worker from where it was", async () => {
  await using host = await startHost();
  const { events, location, steps } = await openCutStream(host);
  expect(location).toMatch(/\/stream\?cancel_on_disconnect=1$/);
  host.deliver();
  await untilEntered(host, steps + 1);
  const comeBack = async (path: string) =>
    host.send(path, { headers: { "last-event-id": String(events.at(-1)?.id) } });
  const back = await comeBack(location);
  const again = back.headers.get("location") ?? "";
  expect(again).toMatch(/\/stream\?cancel_on_disconnect=true$/);
  const read = await readAll(back);
  expect(read.wasCut).toBe(true);
  events.push(...read.events);
  expect(await host.runs()).toEqual([{ status: "running", claims: 2, is_awaited: true }]);
  host.letGo();
  for (let wasCut = true; wasCut;) {
    const read = await readAll(await comeBack(again));
    events.push(...read.events);
    wasCut = read.wasCut;
  }
  const updates = events.filter(({ event }) => event === "updates").map(({ data }) => data);
  expect(updates).toEqual(host.entered.map((count) => ({ step: { count: count + 1 } })));
  expect(host.entered).toEqual([...Array(steps + 2).keys()]);
  expect(await host.runs()).toEqual([{ status: "success", claims: 2, is_awaited: null }]);
});

test("the run of a client that does not come back is cancelled where it executes", async () => {
  await using host = await startHost();
  const { steps } = await openCutStream(host);
  host.deliver();
  await untilEntered(host, steps + 1);
  await host.runOutOfGrace();
  await untilRuns(host, [{ status: "interrupted", claims: 2 }]);
  expect(host.aborted).toEqual([steps]);
  const state = await (await host.send("/threads/t/state")).json();
  expect(state).toMatchObject({ values: { count: steps }, next: ["step"] });
  expect(await (await host.send("/threads/t")).json()).toMatchObject({ status: "interrupted" });
});

test("the run of a client that does not come back is not begun by the worker that it was handed to", async () => {
  await using host = await startHost();
  const { steps } = await openCutStream(host);
  await host.runOutOfGrace();
  host.deliver();
  await untilRuns(host, [{ status: "interrupted", claims: 2 }]);
  expect(host.entered).toHaveLength(steps);
});

test("a tick cancels runs that wait although their client has left, begun or not", async () => {
  await using host = await startHost();
  const { steps } = await openCutStream(host);
  expect(await readAll(await host.run("/threads/t/runs/stream"))).toMatchObject({ wasCut: true });
  await host.tick();
  expect(await host.runs()).toEqual([
    { status: "pending", claims: 1, is_awaited: true },
    { status: "pending", claims: 0, is_awaited: true },
  ]);
  await host.runOutOfGrace();
  await host.tick();
  expect(await host.runs()).toMatchObject([
    { status: "pending", claims: 1 },
    { status: "interrupted", claims: 0 },
  ]);
  host.deliver();
  await untilRuns(host, [{ status: "interrupted" }, { status: "interrupted", claims: 0 }]);
  expect(host.entered).toHaveLength(steps);
});

test("a client that comes late, but before anybody has noticed, is in time", async () => {
  await using host = await startHost();
  const { location, steps } = await openCutStream(host);
  await host.runOutOfGrace();
  expect(await readAll(await host.send(location))).toMatchObject({ wasCut: true });
  expect(await host.runs()).toMatchObject([{ is_awaited: true }]);
  await host.runOutOfGrace();
  const late = await host.send(location.replace("/stream", "/join"));
  expect(await host.runs()).toMatchObject([{ is_awaited: null }]);
  host.letGo();
  host.deliver();
  expect(await late.json()).toEqual({ count: steps + 2 });
  expect(await host.runs()).toMatchObject([{ status: "success" }]);
});

test("a stream that the client has lost does not make it late on the one that it reads", async () => {
  await using host = await startHost();
  const { location, steps } = await openCutStream(host);
  host.deliver();
  await untilEntered(host, steps + 1);
  const lost = await host.send(location, {}, 500);
  const reads = await host.send(location, {}, 100_000);
  expect(await readAll(lost)).toMatchObject({ wasCut: true });
  const [{ seconds } = {}] = await host.patience();
  expect(seconds).toBeGreaterThan(60);
  host.letGo();
  expect(await readAll(reads)).toMatchObject({ wasCut: false });
  expect(await host.runs()).toEqual([{ status: "success", claims: 2, is_awaited: null }]);
});

test("a run that waits, and that was cancelled for its client's sake, is not cancelled by each tick", async () => {
  await using host = await startHost();
  await openCutStream(host);
  host.messages.splice(0);
  await host.runOutOfGrace();
  await host.tick();
  await host.tick();
  expect(host.messages).toHaveLength(1);
});

test("a run without a thread is handed over and cancelled, too", async () => {
  await using host = await startHost();
  const { steps } = await openCutStream(host, "/runs/stream");
  host.deliver();
  await untilEntered(host, steps + 1);
  await host.runOutOfGrace();
  await vi.waitFor(async () => expect(await host.runs()).toEqual([]), PATIENCE); // as any that is over
  expect(host.aborted).toEqual([steps]);
});

test.each<[string, HostOptions, string, object]>([
  ["that says continue", {}, "stream", { on_disconnect: "continue" }],
  ["that says nothing", {}, "stream", { on_disconnect: undefined }],
  ["that only waits, and could not come back", {}, "wait", {}],
  ["of a host that sees clients leave", { seesClients: true }, "stream", {}],
  ["where no worker would go on", { outlivesProcess: false }, "stream", {}],
  ["that gets all at once", { streaming: "buffered" }, "stream", {}],
  ["whose graph would begin anew elsewhere", { checkpointer: false }, "stream", {}],
  ["whose graph would lose its context elsewhere", { context: () => ({ now: () => 1 }) }, "stream", {}],
])("a client is not asked for a sign of life %s", async (_, options, door, more) => {
  await using host = await startHost(options);
  host.hold();
  const answering = host.run(`/threads/t/runs/${door}`, more).then(readAll);
  await vi.waitFor(() => expect(host.entered.length).toBeGreaterThan(0), PATIENCE);
  await using other = await startHost();
  await openCutStream(other); // in which time this one would have been asked, too
  host.letGo();
  expect(await answering).toMatchObject({ wasCut: false });
  expect(host.messages).toEqual([]);
  expect(await host.runs()).toEqual([{ status: "success", claims: 1, is_awaited: null }]);
});

test("where a client goes on tells all that it asked for", async () => {
  await using host = await startHost();
  host.hold();
  host.letGo();
  const made = await host.run("/threads/t/runs/stream", { on_disconnect: "continue" });
  expect(await readAll(made)).toMatchObject({ wasCut: false });
  const path = `${made.headers.get("content-location")}`;
  const query = "cancel_on_disconnect=1&stream_mode=values&stream_mode=updates&namespace=&code=secret";
  const location = (await host.send(`${path}/stream?${query}`)).headers.get("location");
  expect(location).toBe(
    `${path}/stream?cancel_on_disconnect=true&stream_mode=values&stream_mode=updates&namespace=`,
  );
  // The SDK adds its own parameters to them.
  const repeated = await host.send(`${location}&cancel_on_disconnect=1&stream_mode=values`);
  expect([repeated.status, repeated.headers.get("location")]).toEqual([
    200,
    `${path}/stream?cancel_on_disconnect=true&stream_mode=values&stream_mode=updates&stream_mode=values&namespace=`,
  ]);
  expect((await host.send(`${path}/join?${query.slice(0, 22)}`)).headers.get("location")).toBe(
    `${path}/join?cancel_on_disconnect=true`,
  );
  expect((await host.send(`${path}/join`)).headers.get("location")).toBe(`${path}/join`);
});
