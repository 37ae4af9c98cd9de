import { Annotation, START, StateGraph } from "@langchain/langgraph";
import { Client } from "@langchain/langgraph-sdk";
import { LangGraphApp } from "langgraph-functions";
import { expect, test, vi } from "vitest";
import { testDatabase } from "../support/database.ts";
import { startHost, twoSteps } from "../support/deadline-host.ts";

test("a stream that outlives its invocation is cut, taken up by the client, and has every event once", async () => {
  const { graph, attempts } = twoSteps();
  await using host = await startHost([{ name: "steps", graph }], 2_000);
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
    await using database = await testDatabase();
    const app = new LangGraphApp({ authLevel: "anonymous" }).register({ name: "waiting", graph });
    const opened = { url: database.url, poolSize: 4, migrate: false };
    const queue = {
      outlivesProcess: () => false,
      check: async () => undefined,
      depth: async () => ({ messages: 0 }),
      send: async () => undefined,
    };
    const doors = app.doors({ settings: { database: opened, logLevel: "silent" }, queue });
    const stop = new AbortController();
    const body = {
      assistant_id: "waiting",
      input: { text: "a" },
      on_disconnect: "cancel",
      ...(path.startsWith("/threads") ? { if_not_exists: "create" } : {}),
    };
    const response = await doors.fetch(
      new Request(`http://here/api${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      }),
      { signal: stop.signal, authLevel: "anonymous" },
    );
    const reader = response.body?.getReader();
    await entered;
    stop.abort(new Error("The host is stopping"));
    const disposed = app[Symbol.asyncDispose]();
    await reader?.cancel(); // as the host drops its connections
    await disposed;
    expect(await database.query("select status, cancel_action from langgraph.runs")).toEqual([
      { status: "pending", cancel_action: null },
    ]);
  },
);

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
