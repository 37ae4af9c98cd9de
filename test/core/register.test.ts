import { Annotation, START, StateGraph } from "@langchain/langgraph";
import { type AppOptions, type GraphOptions, LangGraphApp } from "langgraph-functions";
import { expect, test } from "vitest";
import { shout } from "../support/graphs.ts";
import { type Answer, startServer } from "../support/server.ts";

type Source = GraphOptions["graph"];

/** What someone without TypeScript may pass. */
function untyped<T>(value: unknown): T {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return value as T;
}

/** The answers to two runs of a graph that was registered so. */
async function runTwice(graph: Source): Promise<Answer[]> {
  await using server = await startServer({ graphs: [{ name: "registered", graph }] });
  await server.get("/health");
  const send = async (thread_id: string) =>
    server.post("/graphs/registered/invoke", {
      input: { text: "a" },
      config: { configurable: { thread_id } },
    });
  return [await send("first"), await send("second")];
}

const shouted = { status: 200, body: { output: { text: "a!" } } };

test.each<[string, Source]>([
  ["a compiled graph", shout],
  ["a promise of one", Promise.resolve(shout)],
  ["an agent that holds one", { graph: shout }],
  ["a promise of an agent", Promise.resolve({ graph: shout })],
  ["a factory", (_config) => shout],
  ["an asynchronous factory", async (_config) => shout],
  ["a factory of agents", (_config) => ({ graph: shout })],
  ["a loader", () => shout],
  ["a loader of a promise", async () => ({ graph: shout })],
  ["a loader of a module that exports `graph`", async () => ({ graph: shout, other: 1 })],
  ["a loader of a module with a default export", async () => ({ default: shout })],
  ["a loader of a module that exports a promise", async () => ({ graph: Promise.resolve(shout) })],
  ["a loader of a module that exports an agent", async () => ({ graph: { graph: shout } })],
  ["a loader of a module that exports a factory", async () => ({ default: () => shout })],
  ["a loader of a real module", () => import("./fixtures/shout.ts")],
])("%s is taken", async (_what, graph) => {
  expect(await runTwice(graph)).toMatchObject([shouted, shouted]);
});

test("a factory makes a graph for each run, from the run's config", async () => {
  const threads: unknown[] = [];
  await runTwice((config) => {
    threads.push(config.configurable?.["thread_id"]);
    return shout;
  });
  expect(threads).toEqual(["first", "second"]);
});

test("a factory that a module exports is asked for each run as well", async () => {
  let graphs = 0;
  const factory = (_config: object) => {
    graphs += 1;
    return shout;
  };
  await runTwice(async () => ({ graph: factory }));
  expect(graphs).toBe(2);
});

test("a loader is called once, by the first run", async () => {
  let loads = 0;
  await using server = await startServer({
    graphs: [{ name: "lazy", graph: async () => ({ graph: (loads += 1) > 0 ? shout : shout }) }],
  });
  await server.get("/health");
  await server.get("/openapi.json");
  expect(loads).toBe(0);
  const run = async () => server.post("/graphs/lazy/invoke", { input: { text: "a" } });
  await Promise.all([run(), run(), run()]);
  await run();
  expect(loads).toBe(1);
});

test("a loader that failed is asked again by the next run", async () => {
  let loads = 0;
  const answers = await runTwice(async () => {
    loads += 1;
    if (loads === 1) throw new Error("secret of the disk");
    return { graph: shout };
  });
  expect(answers).toMatchObject([{ status: 500 }, shouted]);
  expect(answers[0]?.text).not.toContain("secret");
});

test("a promise that fails makes its graph's runs fail, and nothing else", async () => {
  let fail = (): void => undefined;
  const broken = new Promise<typeof shout>((_resolve, reject) => {
    fail = () => reject(new Error("secret of the promise"));
  });
  await using server = await startServer({
    graphs: [
      { name: "broken", graph: broken },
      { name: "shout", graph: shout },
    ],
  });
  fail();
  const invoke = async (graph: string) => server.post(`/graphs/${graph}/invoke`, { input: { text: "a" } });
  expect(await invoke("shout")).toMatchObject({ status: 200, body: { output: { text: "a!" } } });
  const answer = await invoke("broken");
  expect([answer.status, answer.text]).toEqual([500, expect.not.stringContaining("secret")]);
});

const uncompiled = new StateGraph(Annotation.Root({ text: Annotation<string> }))
  .addNode("a", ({ text }) => ({ text }))
  .addEdge(START, "a");

test.each([
  [
    "an uncompiled graph",
    uncompiled,
    /^register\("g"\): the graph has not been compiled: register graph\.compile\(\)\.$/,
  ],
  ["nothing", undefined, /^register\("g"\): the graph must be a compiled graph, a promise of one/],
  ["null", null, /^register\("g"\): the graph must be/],
  ["a string", "./graph.ts:graph", /^register\("g"\): the graph must be/],
  ["an empty object", {}, /^register\("g"\): the graph must be/],
  ["a wrapper of nothing", { graph: {} }, /^register\("g"\): the graph must be/],
])("%s is refused at once", (_what, graph, message) => {
  expect(() => new LangGraphApp().register({ name: "g", graph: untyped(graph) })).toThrow(message);
});

test.each<[string, Source]>([
  ["a promise of something else", untyped(Promise.resolve("graph"))],
  ["a module without a graph", untyped(async () => ({ something: shout }))],
  ["a factory of something else", untyped((_config: object) => ({ something: shout }))],
  ["a loader of an uncompiled graph", untyped(() => uncompiled)],
])("%s fails the run, and the log says why", async (_what, graph) => {
  await using server = await startServer({ graphs: [{ name: "g", graph }] });
  const answer = await server.post("/graphs/g/invoke", { input: { text: "a" } });
  expect(answer).toMatchObject({ status: 500, body: { error: "internal" } });
  const message = expect.stringMatching(/^register\("g"\): the graph (must be|has not been compiled)/);
  expect(server.errors).toMatchObject([{ fields: { err: { message } } }]);
});

test("a promise that is none of JavaScript's own is taken", async () => {
  const foreign = Object.assign(Promise.resolve(shout), { catch: undefined });
  expect(await runTwice(untyped(foreign))).toMatchObject([shouted, shouted]);
});

test.each(["", "1st", "-a", "_a", "a b", "a.b", "a/b", "ä", "a\n", "x".repeat(65), 7, null, undefined])(
  "the name %j is refused",
  (name) => {
    const register = () => new LangGraphApp().register({ name: untyped(name), graph: shout });
    expect(register).toThrow(TypeError);
    expect(register).toThrow(
      /^register\(.*\): name must start with a letter, go on with letters, digits, "_" or "-", and have 64 characters at most\.$/,
    );
  },
);

test.each(["a", "A1", "my_agent-2", "x".repeat(64)])("the name %j is taken", (name) => {
  expect(new LangGraphApp().register({ name, graph: shout }).graphs).toMatchObject([{ name }]);
});

test.each(["support", "Support", "SUPPORT"])("a name is taken once, without regard to case: %s", (name) => {
  const app = new LangGraphApp().register({ name: "support", graph: shout });
  expect(() => app.register({ name, graph: shout })).toThrow(
    'register(): a graph named "support" is registered already; give this one another name.',
  );
});

test.each(["public", "FUNCTION", "", null, 1])("the level %j is refused", (authLevel) => {
  const register = () =>
    new LangGraphApp().register({ name: "g", graph: shout, authLevel: untyped(authLevel) });
  expect(register).toThrow('register("g"): authLevel must be "anonymous", "function" or "admin".');
});

test.each([
  ["stream", "no"],
  ["inputSchema", { type: "object" }],
  ["outputSchema", {}],
  ["config", "default"],
  ["context", {}],
  ["description", 7],
  ["authlevel", "admin"],
])("an option that is wrong, or that is none, is refused by its name: %s", (option, value) => {
  const register = () => new LangGraphApp().register(untyped({ name: "g", graph: shout, [option]: value }));
  expect(register).toThrow(new RegExp(`^register\\("g"\\): .*${option}`));
});

test("an option that is undefined counts as one that is not there", async () => {
  const undefinedOptions = {
    stream: undefined,
    authLevel: undefined,
    inputSchema: undefined,
    config: undefined,
  };
  const graphs = [untyped<GraphOptions>({ name: "g", graph: shout, ...undefinedOptions })];
  await using server = await startServer({ graphs });
  expect((await server.post("/graphs/g/stream", { input: { text: "a" } })).status).toBe(200);
});

test("a refused graph leaves the name free", () => {
  const app = new LangGraphApp();
  expect(() => app.register({ name: "g", graph: untyped({}) })).toThrow();
  expect(app.register({ name: "g", graph: shout }).graphs).toHaveLength(1);
});

test("a graph that comes after serving has begun is refused", async () => {
  await using app = new LangGraphApp();
  app.doors({
    settings: {
      database: { url: "postgres://127.0.0.1:1/none", poolSize: 1, migrate: false },
      logLevel: "silent",
    },
  });
  expect(() => app.register({ name: "late", graph: shout })).toThrow(
    'register("late"): the app is serving already; register every graph before that.',
  );
});

test.each<[string, unknown]>([
  ["authLevel", { authLevel: "public" }],
  ["routePrefix", { routePrefix: "/api/" }],
  ["streaming", { streaming: "sse" }],
  ["maxStreamResponseBytes", { maxStreamResponseBytes: 0 }],
  ["limits.maxDepth", { limits: { maxDepth: 1.5 } }],
  ["maxDepht", { limits: { maxDepht: 3 } }],
  ["rateLimit.perSeconds", { rateLimit: { requests: 1 } }],
  ["healthListsGraphs", { healthListsGraphs: "no" }],
  ["publicStatus", { publicStatus: "yes" }],
  ["checks.model: must be a function", { checks: { model: "https://model.example.com" } }],
  ["checks.model.check: must be a function", { checks: { model: { timeoutMs: 5 } } }],
  ["checks.model.timeoutMs", { checks: { model: { check: () => true, timeoutMs: 60_000 } } }],
  ["checks.model: .*timeout", { checks: { model: { check: () => true, timeout: 5 } } }],
  ["checks. ", { checks: { " ": () => true } }],
  ["logger: must have the functions info, warn and error", { logger: "console" }],
  ["logger: must have the functions info, warn and error", { logger: { error: () => undefined } }],
  ["authlevel", { authlevel: "admin" }],
])("an app refuses a wrong option by its name: %s", (option, options) => {
  const make = () => new LangGraphApp(untyped<AppOptions>(options));
  expect(make).toThrow(TypeError);
  expect(make).toThrow(new RegExp(`^new LangGraphApp\\(\\): .*${option}`));
});

test("an app that is wrong in several ways names them all", () => {
  const options = untyped<AppOptions>({ authLevel: 1, streaming: 2, rateLimit: 3 });
  expect(() => new LangGraphApp(options)).toThrow(/authLevel: .*streaming: .*rateLimit: /);
});
