/** A host that does not see its clients leave, and what its clients do. */

import { setImmediate as nextTurn } from "node:timers/promises";
import { Annotation, type LangGraphRunnableConfig, START, StateGraph } from "@langchain/langgraph";
import { EventSourceParserStream } from "eventsource-parser/stream";
import { LangGraphApp, type AppOptions } from "langgraph-functions";
import { expect, vi } from "vitest";
import { testDatabase, type TestDatabase } from "./database.ts";
import { watchStatements } from "./statements.ts";

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

export interface HostOptions extends AppOptions {
  readonly outlivesProcess?: boolean;
  readonly seesClients?: boolean;
  readonly checkpointer?: false;
  readonly context?: () => object;
  /** Another instance of the same app, if absent one of its own. */
  readonly beside?: { readonly database: TestDatabase };
}

/** The app behind a host that asks for a sign of life at once; messages are delivered when the test says so. */
export async function startHost({
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

export type Host = Awaited<ReturnType<typeof startHost>>;

interface ReadEvent {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly data: unknown;
}

/** What the stream has until it ends or is broken off. */
export async function readAll(
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
export async function openCutStream(host: Host, path = "/threads/t/runs/stream") {
  const response = await host.run(path, path.startsWith("/runs") ? { if_not_exists: undefined } : {});
  const { events, wasCut } = await readAll(response);
  expect(wasCut).toBe(true);
  expect(await host.runs()).toEqual([{ status: "pending", claims: 1, is_awaited: true }]);
  host.hold();
  return { events, location: response.headers.get("location") ?? "", steps: host.entered.length };
}

export const PATIENCE = { timeout: 20_000 };

export async function untilEntered(host: Host, steps: number): Promise<void> {
  await vi.waitFor(() => expect(host.entered).toHaveLength(steps), PATIENCE);
}

export async function untilRuns(host: Host, expected: readonly object[]): Promise<void> {
  await vi.waitFor(async () => expect(await host.runs()).toMatchObject(expected), PATIENCE);
}

/** Comes back to a run's stream, with what the client has had; what it has then. */
export async function comeBack(host: Host, location: string, before: readonly ReadEvent[]) {
  const headers = { "last-event-id": String(before.at(-1)?.id) };
  const { events, wasCut } = await readAll(await host.send(location, { headers }));
  return { events: [...before, ...events], wasCut };
}

/** As often as it is broken off. */
export async function readToEnd(
  host: Host,
  location: string,
  before: readonly ReadEvent[],
): Promise<ReadEvent[]> {
  const { events, wasCut } = await comeBack(host, location, before);
  return wasCut ? readToEnd(host, location, events) : events;
}

/** What the steps have told of themselves. */
export function updatesOf(events: readonly ReadEvent[]): unknown[] {
  return events.filter(({ event }) => event === "updates").map(({ data }) => data);
}

export function updatesAfter(counts: Iterable<number>): object[] {
  return [...counts].map((count) => ({ step: { count: count + 1 } }));
}
