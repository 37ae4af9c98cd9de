import { Annotation, START, StateGraph } from "@langchain/langgraph";
import { Client } from "@langchain/langgraph-sdk";
import { LangGraphApp, type AppOptions, type GraphOptions } from "langgraph-functions";
import { expect, test, vi } from "vitest";
import { testDatabase } from "../support/database.ts";
import { allEvents } from "../support/events.ts";
import { startRun } from "../support/protocol.ts";
import { startHost, twoSteps } from "../support/deadline-host.ts";
import { shout, telling } from "../support/graphs.ts";
import { talking } from "../support/streaming-graphs.ts";
import { z } from "zod";

test("a stream that outlives its invocation is cut, taken up by the client, and has every event once", async () => {
  const { graph, attempts } = twoSteps();
  await using host = await startHost([{ name: "steps", graph }], 4_000);
  const { runs } = new Client({ apiUrl: host.url, callerOptions: { maxRetries: 0 } });
  const seen: unknown[] = [];
  const options = { input: { text: "a" }, streamMode: "updates", ifNotExists: "create" } as const;
  for await (const { event, data } of runs.stream("t", "steps", options)) seen.push([event, data]);
  expect(seen.slice(1)).toEqual([
    ["updates", { first: { text: "a first" } }],
    ["updates", { second: { text: "a first second" } }],
  ]);
  expect(attempts()).toBe(2);
  expect(await host.database.query("select status, claims from langgraph.runs")).toEqual([
    { status: "success", claims: 2 },
  ]);
});

test("a stream that is cut breaks its connection: a clean end would look complete", async () => {
  let isOver = false;
  const graph = new StateGraph(Annotation.Root({ text: Annotation<string> }))
    .addNode("wait", async (_state, { signal }) => {
      if (isOver) return {};
      await new Promise((resolve) => signal?.addEventListener("abort", resolve));
      return {};
    })
    .addEdge(START, "wait")
    .compile();
  await using host = await startHost([{ name: "waiting", graph }], 1_000);
  for (const door of ["stream", "wait"]) {
    isOver = false;
    const response = await fetch(`${host.url}/threads/${door}/runs/${door}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        assistant_id: "waiting",
        input: { text: "a" },
        if_not_exists: "create",
        on_disconnect: "cancel",
      }),
    });
    await expect(response.text()).rejects.toThrow("terminated");
    isOver = true;
    const [{ run_id } = {}] = await host.database.query(
      "select run_id from langgraph.runs where thread_id = $1",
      [door],
    );
    await (
      await fetch(`${host.url}/threads/${door}/runs/${String(run_id)}/join`)
    )
      .text()
      .catch(() => undefined);
    // A cut of ours is not a client that goes away.
    const runs = await host.database.query("select cancel_action, claims > 1 as went_on from langgraph.runs");
    expect(runs).toContainEqual({ cancel_action: null, went_on: true });
  }
});

/** An app whose host delivers no messages: only requests execute runs. Without a body, it is asked for all that there is. */
async function openDoors(graph: GraphOptions, options: AppOptions = {}) {
  const database = await testDatabase();
  const app = new LangGraphApp({ authLevel: "anonymous", ...options }).register(graph);
  const opened = { url: database.url, poolSize: 4, migrate: false };
  const queue = {
    outlivesProcess: () => false,
    check: async () => undefined,
    depth: async () => ({ messages: 0 }),
    send: async () => undefined,
  };
  const doors = app.doors({ settings: { database: opened, logLevel: "silent" }, queue });
  const host = () => ({ signal: new AbortController().signal, authLevel: "anonymous" as const });
  const ask = async (
    path: string,
    body: unknown,
    invocation: { readonly signal?: AbortSignal; readonly deadline?: Date } = {},
  ): Promise<Response> =>
    doors.fetch(
      new Request(
        `http://here/api${path}`,
        body === undefined
          ? { headers: { "last-event-id": "-" } }
          : {
              method: "POST",
              headers: { "content-type": "application/json" },
              body: JSON.stringify(body),
            },
      ),
      { ...host(), ...invocation },
    );
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => (stopped ??= app[Symbol.asyncDispose]());
  return {
    url: "http://here/api",
    fetch: async (request: Request) => doors.fetch(request, host()),
    ask,
    work: async (run_id: string) => doors.work({ run_id }, host()),
    stop,
    database,
    [Symbol.asyncDispose]: async () => {
      await stop();
      await database[Symbol.asyncDispose]();
    },
  };
}

test.each(["/threads/t/runs/stream", "/runs/stream"])(
  "a host that stops hands its runs over, also where the client's leave would have ended them: %s",
  async (path) => {
    let enter = (): void => undefined;
    const entered = new Promise<void>((resolve) => (enter = resolve));
    const graph = new StateGraph(Annotation.Root({ text: Annotation<string> }))
      .addNode("wait", async (_state, { signal }) => {
        enter();
        await new Promise((resolve) => signal?.addEventListener("abort", resolve));
        return {};
      })
      .addEdge(START, "wait")
      .compile();
    await using here = await openDoors({ name: "waiting", graph });
    const stop = new AbortController();
    const body = {
      assistant_id: "waiting",
      input: { text: "a" },
      on_disconnect: "cancel",
      ...(path.startsWith("/threads") ? { if_not_exists: "create" } : {}),
    };
    const response = await here.ask(path, body, { signal: stop.signal });
    const reader = response.body?.getReader();
    await entered;
    stop.abort(new Error("The host is stopping"));
    const disposed = here.stop();
    await reader?.cancel(); // as the host drops its connections
    await disposed;
    expect(await here.database.query("select status, cancel_action from langgraph.runs")).toEqual([
      { status: "pending", cancel_action: null },
    ]);
  },
);

/** Waits for as long as it is not let go, and then in no further execution. */
function waiting() {
  let letGo = (): void => undefined;
  const opened = new Promise<void>((resolve) => (letGo = resolve));
  const graph = new StateGraph(Annotation.Root({ text: Annotation<string> }))
    .addNode("first", ({ text }) => ({ text: `${text}!` }))
    .addNode("wait", async () => {
      await opened;
      return {};
    })
    .addEdge(START, "first")
    .addEdge("first", "wait")
    .compile();
  return { graph, letGo };
}

const RUN = {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ input: { text: "a" }, config: { configurable: { thread_id: "t" } } }),
};

test("a native stream whose run goes on elsewhere says so, instead of following it past its invocation", async () => {
  const { graph, letGo } = waiting();
  await using host = await startHost([{ name: "waiting", graph }], 1_000);
  const response = await fetch(`${host.url}/graphs/waiting/stream`, RUN);
  expect(await allEvents(response)).toEqual([
    { event: "data", data: { text: "a" } },
    { event: "data", data: { text: "a!" } },
    {
      event: "error",
      data: { error: "The run goes on in the background; ask for the thread's state" },
    },
    { event: "end", data: {} },
  ]);
  letGo();
});

test("a native call whose run goes on elsewhere is told so in time", async () => {
  const { graph, letGo } = waiting();
  await using host = await startHost([{ name: "waiting", graph }], 1_000);
  const response = await fetch(`${host.url}/graphs/waiting/invoke`, RUN);
  expect([response.status, await response.json()]).toEqual([
    503,
    {
      error: "unavailable",
      detail: expect.stringContaining("The run goes on in the background; ask for the thread's state"),
    },
  ]);
  letGo();
});

test("who waits for a cancelled run to stop is told in time that it has not", async () => {
  await using here = await openDoors({ name: "shout", graph: shout });
  const run = await here.ask("/runs", { assistant_id: "shout", input: { text: "a" } });
  const { run_id, thread_id } = z
    .object({ run_id: z.string(), thread_id: z.string() })
    .parse(await run.json());
  await here.database.query(
    "update langgraph.runs set status = 'running', lease_id = gen_random_uuid(), lease_until = now() + interval '1 hour'", // elsewhere
  );
  const answer = await here.ask(
    `/threads/${thread_id}/runs/${run_id}/cancel?wait=true`,
    {},
    {
      deadline: new Date(Date.now() + 500),
    },
  );
  expect([answer.status, await answer.json()]).toEqual([
    503,
    {
      error: "unavailable",
      detail: expect.stringContaining(`Run '${run_id}' is asked to stop, but has not ended yet`),
    },
  ]);
});

const LETTERS = "more than a reader that does not read has room for";
const WORDS = telling(...LETTERS.split(""));

test.each([
  ["/graphs/words/stream", { input: { text: "a" }, stream_mode: "custom" }],
  ["/runs/stream", { assistant_id: "words", input: { text: "a" }, stream_mode: "custom" }],
  ["/threads/t/stream", undefined],
  ["/threads/t/stream/events", { channels: ["custom"] }],
  [
    "/a2a/words",
    {
      jsonrpc: "2.0",
      id: 1,
      method: "message/stream",
      params: { message: { role: "user", messageId: "1", parts: [{ kind: "text", text: "a" }] } },
    },
  ],
])("a stream that its reader does not read is cut in time, and its place is free: %s", async (path, body) => {
  const graph = path === "/a2a/words" ? talking(LETTERS) : WORDS;
  await using here = await openDoors({ name: "words", graph }, { limits: { maxStreams: 1 } });
  if (path.startsWith("/threads")) {
    await here.work(await startRun(here, "t", { assistant_id: "words", input: { text: "a" } }));
  }
  const deadline = new Date(Date.now() + 3_000);
  const response = await here.ask(path, body, { deadline });
  expect(await here.database.query("select 1 from langgraph.streams")).toHaveLength(1);
  const reader = response.body?.getReader();
  await expect(reader?.closed).rejects.toMatchObject({ name: "StreamCut" });
  await expect(reader?.cancel()).rejects.toMatchObject({ name: "StreamCut" });
  expect(await here.database.query("select 1 from langgraph.streams")).toEqual([]);
});

test("an agent's stream that is sent at once ends in time, and says that its task is worked on", async () => {
  const { graph, letGo } = waiting();
  await using here = await openDoors({ name: "waiting", graph }, { streaming: "buffered" });
  const parts = [{ kind: "data", data: { text: "a" } }];
  const params = { message: { role: "user", messageId: "1", parts } };
  const request = { jsonrpc: "2.0", id: 1, method: "message/stream", params };
  const deadline = new Date(Date.now() + 1_000);
  expect(await allEvents(await here.ask("/a2a/waiting", request, { deadline }))).toMatchObject([
    { data: { result: { kind: "task", status: { state: "working" } } } },
    { data: { id: 1, error: { code: -32603, message: "The task is still worked on; ask for it" } } },
  ]);
  letGo();
});

test("a thread's stream that is cut off is taken up again, without a gap or a double", async () => {
  const text = Annotation.Root({ text: Annotation<string> });
  const graph = new StateGraph(text)
    .addNode("shout", (state) => ({ text: `${state.text}!` }))
    .addEdge(START, "shout")
    .compile();
  await using host = await startHost([{ name: "shout", graph }], 1_000);
  let connections = 0;
  const counting: typeof fetch = async (input, init) => {
    if (new Request(input).url.includes("/stream")) connections += 1;
    return fetch(input, init);
  };
  const { threads, runs } = new Client({ apiUrl: host.url, callerOptions: { fetch: counting } });
  const { thread_id } = await threads.create();
  const made: string[] = [];
  const ended: unknown[] = [];
  const ids: (string | undefined)[] = [];
  const makeRun = async (): Promise<void> => {
    const { run_id } = await runs.create(thread_id, "shout", { input: { text: "a" } });
    made.push(run_id);
  };
  await makeRun();
  for await (const { id, data } of threads.joinStream(thread_id, { lastEventId: "-" })) {
    ids.push(id);
    if (Reflect.get(Object(data), "status") !== "run_done") continue;
    ended.push(Reflect.get(Object(data), "run_id"));
    if (ended.length === 3) break;
    const before = connections;
    void vi.waitFor(() => expect(connections).toBeGreaterThan(before), { timeout: 20_000 }).then(makeRun);
  }
  expect(ended).toEqual(made);
  expect(connections).toBeGreaterThanOrEqual(3);
  expect(ids).toHaveLength(12);
  expect(new Set(ids).size).toBe(12);
});
