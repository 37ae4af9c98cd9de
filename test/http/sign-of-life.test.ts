/** A host that does not see its clients leave: `on_disconnect: "cancel"` and `cancel_on_disconnect` there. */

import { setImmediate as nextTurn } from "node:timers/promises";
import { Annotation, type LangGraphRunnableConfig, START, StateGraph } from "@langchain/langgraph";
import { EventSourceParserStream } from "eventsource-parser/stream";
import { LangGraphApp, type AppOptions } from "langgraph-functions";
import { expect, test, vi } from "vitest";
import { z } from "zod";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { watchStatements } from "../support/statements.ts";

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
  const letGo = (steps = 2): void => {
    left = steps;
    release();
  };
  return { graph, entered, aborted, hold, letGo };
}

interface HostOptions extends AppOptions {
  readonly outlivesProcess?: boolean;
  readonly seesClients?: boolean;
  readonly checkpointer?: false;
  readonly context?: () => object;
  /** Another instance of the same app, if absent one of its own. */
  readonly beside?: { readonly database: TestDatabase };
}

/** The app behind a host that asks for a sign of life at once; messages are delivered when the test says so. */
async function startHost({
  outlivesProcess = true,
  seesClients = false,
  checkpointer,
  context,
  beside,
  ...app
}: HostOptions = {}) {
  const database = beside?.database ?? (await testDatabase());
  const watched = await watchStatements(database.url);
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
    database: { url: watched.url, poolSize: 4, migrate: false },
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
  const work = async (more: object = {}): Promise<unknown> =>
    Promise.all(messages.splice(0).map(async (message) => doors.work(message, { ...invocation, ...more })));
  return {
    ...steps,
    database,
    statements: watched.statements,
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
    deliver: () => void work(),
    /** Waits for it, which has so much time. */
    work: async (ms: number) => work({ deadline: new Date(Date.now() + ms) }),
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
      await watched[Symbol.asyncDispose]();
      if (beside === undefined) await database[Symbol.asyncDispose]();
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

/** Comes back to a run's stream, with what the client has had; what it has then. */
async function comeBack(host: Host, location: string, before: readonly ReadEvent[]) {
  const headers = { "last-event-id": String(before.at(-1)?.id) };
  const { events, wasCut } = await readAll(await host.send(location, { headers }));
  return { events: [...before, ...events], wasCut };
}

/** As often as it is broken off. */
async function readToEnd(host: Host, location: string, before: readonly ReadEvent[]): Promise<ReadEvent[]> {
  const { events, wasCut } = await comeBack(host, location, before);
  return wasCut ? readToEnd(host, location, events) : events;
}

/** What the steps have told of themselves. */
function updatesOf(events: readonly ReadEvent[]): unknown[] {
  return events.filter(({ event }) => event === "updates").map(({ data }) => data);
}

function updatesAfter(counts: Iterable<number>): object[] {
  return [...counts].map((count) => ({ step: { count: count + 1 } }));
}

test("a client that comes back has every event once, and its run goes on with a worker from where it was", async () => {
  await using host = await startHost();
  const { events, location, steps } = await openCutStream(host);
  expect(location).toMatch(/\/stream\?cancel_on_disconnect=1$/);
  host.deliver();
  await untilEntered(host, steps + 1);
  const back = await host.send(location, { headers: { "last-event-id": String(events.at(-1)?.id) } });
  const again = back.headers.get("location") ?? "";
  expect(again).toMatch(/\/stream\?cancel_on_disconnect=true$/);
  const read = await readAll(back);
  expect(read.wasCut).toBe(true);
  expect(await host.runs()).toEqual([{ status: "running", claims: 2, is_awaited: true }]);
  host.letGo();
  const all = await readToEnd(host, again, [...events, ...read.events]);
  expect(updatesOf(all)).toEqual(updatesAfter(host.entered));
  expect(host.entered).toEqual([...Array(steps + 2).keys()]);
  expect(await host.runs()).toEqual([{ status: "success", claims: 2, is_awaited: null }]);
});

test("without any worker, a run goes on wherever its client comes back to, and nothing is done twice", async () => {
  await using host = await startHost();
  await using other = await startHost({ beside: host });
  const first = await openCutStream(host);
  const seen = first.events.slice(0, 2); // the rest got lost on the way
  const second = await comeBack(other, first.location, seen);
  expect(second.wasCut).toBe(true);
  expect(await host.runs()).toEqual([{ status: "pending", claims: 2, is_awaited: true }]);
  host.letGo();
  const third = await comeBack(host, first.location, second.events);
  expect(third.wasCut).toBe(false);
  const entered = [...host.entered, ...other.entered].toSorted((one, two) => one - two);
  expect(entered).toEqual([...entered.keys()]);
  expect(updatesOf(third.events)).toEqual(updatesAfter(entered));
  expect(host.entered).toHaveLength(first.steps + 2);
  const ended = [{ status: "success", claims: 3, is_awaited: null }];
  expect(await host.runs()).toEqual(ended);
  // Whose messages come late.
  expect([host.messages, other.messages]).toMatchObject([[{}], [{}]]);
  await Promise.all([host.work(60_000), other.work(60_000)]);
  expect(await host.runs()).toEqual(ended);
});

test("of a worker and the client's return, one gets the run", async () => {
  await using host = await startHost();
  const opened = await Promise.all(
    ["a", "b", "c", "d", "e", "f"].map(async (thread) => {
      const response = await host.run(`/threads/${thread}/runs/stream`);
      return { location: response.headers.get("location") ?? "", ...(await readAll(response)) };
    }),
  );
  expect(opened.map(({ wasCut }) => wasCut)).toEqual(opened.map(() => true));
  host.hold();
  const reading = opened.map(async ({ location, events }) => {
    host.deliver();
    return readToEnd(host, location, events);
  });
  await untilRuns(
    host,
    opened.map(() => ({ status: "running", claims: 2 })),
  );
  host.letGo();
  const updates = (await Promise.all(reading)).map(updatesOf);
  expect(updates).toEqual(updates.map((one) => updatesAfter(one.keys())));
  expect(host.entered).toHaveLength(updates.flat().length);
  await untilRuns(
    host,
    opened.map(() => ({ status: "success", claims: 2 })),
  );
});

/** The claims of one run that were tried. */
const claimsTried = ({ statements }: Host): number =>
  statements.filter((statement) => statement.includes("claims = claims + 1")).length;

test("runs in the background, and those that have not begun, are for workers alone", async () => {
  await using host = await startHost();
  await host.run("/threads/t/runs", { on_disconnect: undefined });
  await host.work(1_000); // then it is handed over
  const waiting = await host.run("/threads/t/runs/stream");
  expect(await readAll(waiting)).toMatchObject({ wasCut: true });
  const runs = [
    { status: "pending", claims: 1, is_awaited: null },
    { status: "pending", claims: 0, is_awaited: true },
  ];
  expect(await host.runs()).toEqual(runs);
  const [steps, tried] = [host.entered.length, claimsTried(host)];
  expect(tried).toBe(2); // by the worker, and for the second run when it came
  const listed: unknown = await (await host.send("/threads/t/runs")).json();
  const [, background] = z.array(z.object({ run_id: z.string() })).parse(listed);
  expect(JSON.stringify(listed)).not.toContain("ends_with_client");
  const join = `/threads/t/runs/${background?.run_id}/stream?cancel_on_disconnect=1`;
  for (const location of [join, join, waiting.headers.get("location") ?? ""])
    expect(await readAll(await host.send(location))).toMatchObject({ wasCut: true });
  expect(await host.runs()).toEqual(runs.map((run) => ({ ...run, is_awaited: true })));
  expect([host.entered.length, claimsTried(host)]).toEqual([steps, tried]);
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
  const late = await host.send(location.replace("/stream", "/join"));
  expect(await host.runs()).toMatchObject([{ is_awaited: null }]);
  await host.runOutOfGrace();
  const stream = readAll(await host.send(location));
  await untilEntered(host, steps + 1);
  expect(await host.runs()).toMatchObject([{ is_awaited: true }]);
  host.letGo();
  expect(await stream).toMatchObject({ wasCut: false });
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
