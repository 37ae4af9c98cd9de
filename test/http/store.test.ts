/** What clients without the SDK can ask of the store, and how it ages. */

import {
  Annotation,
  END,
  entrypoint,
  InMemoryStore,
  type LangGraphRunnableConfig,
  START,
  StateGraph,
} from "@langchain/langgraph";
import { LangGraphApp } from "langgraph-functions";
import { expect, test } from "vitest";
import type { TestDatabase } from "../support/database.ts";
import { startServer, type TestServer } from "../support/server.ts";

const put = async (server: TestServer, body: object) => server.post("/store/items", body, { method: "PUT" });
const get = async (server: TestServer, query: string) => (await server.get(`/store/items?${query}`)).body;

test("what is stored and deleted is answered with nothing", async () => {
  await using server = await startServer({ graphs: [] });
  const item = { namespace: ["a", "b"], key: "k" };
  expect(await put(server, { ...item, value: {} })).toMatchObject({ status: 204, text: "" });
  const deleted = await server.post("/store/items", item, { method: "DELETE" });
  expect(deleted).toMatchObject({ status: 204, text: "" });
  expect(await server.get("/store/items?namespace=a.b&key=k")).toMatchObject({ status: 200, text: "null" });
});

test("a namespace in a query is labels with periods, or a parameter for each", async () => {
  await using server = await startServer({ graphs: [] });
  await put(server, { namespace: ["a", "b"], key: "k", value: { n: 1 }, index: null, ttl: null });
  const item = { namespace: ["a", "b"], key: "k", value: { n: 1 } };
  expect(await get(server, "namespace=a.b&key=k")).toMatchObject(item);
  expect(await get(server, "namespace=a&namespace=b&key=k")).toMatchObject(item);
  expect(await get(server, "namespace=b&namespace=a&key=k")).toBeNull();
});

test.each([
  ["PUT", "/store/items", { namespace: ["a"], key: "k" }, "value"],
  ["PUT", "/store/items", { namespace: ["a"], key: "k", value: [] }, "value"],
  ["PUT", "/store/items", { namespace: ["a"], key: "k", value: {}, ttl: 0 }, "ttl"],
  ["PUT", "/store/items", { namespace: ["a"], key: "k", value: {}, index: true }, "index"],
  ["PUT", "/store/items", { namespace: ["a"], key: "k", value: {}, tll: 1 }, 'body: Unrecognized key: "tll"'],
  ["PUT", "/store/items", { namespace: "a", key: "k", value: {} }, "namespace"],
  ["PUT", "/store/items", { namespace: ["a.b"], key: "k", value: {} }, "namespace"],
  ["DELETE", "/store/items", { namespace: [], key: "k" }, "namespace"],
  ["DELETE", "/store/items", { namespace: ["a"] }, "key"],
  ["GET", "/store/items?namespace=a..b&key=k", undefined, "namespace"],
  ["GET", "/store/items?namespace=a&namespace=b.c&key=k", undefined, "namespace"],
  ["GET", "/store/items?namespace=a%00b&key=k", undefined, "namespace"],
  ["GET", "/store/items?namespace=a", undefined, "query.key"],
  ["GET", "/store/items?namespace=a&key=k&refresh_ttl=1", undefined, "query.refresh_ttl"],
  ["POST", "/store/items/search", { namespace_prefix: ["a", ""] }, "namespace_prefix"],
  ["POST", "/store/items/search", { limit: 0 }, "limit"],
  ["POST", "/store/items/search", { filter: { n: { $gt: null } } }, "filter.n.$gt"],
  ["POST", "/store/items/search", { filter: { n: { $in: 1 } } }, "filter.n.$in"],
  ["POST", "/store/items/search", { query: "warm" }, "query"],
  ["POST", "/store/namespaces", { max_depth: 0 }, "max_depth"],
  ["POST", "/store/namespaces", { suffix: ["a.b"] }, "suffix"],
])("%s %s %j is refused by the name of its field", async (method, path, body, field) => {
  await using server = await startServer({ graphs: [] });
  const answer = await server.get(path, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  expect(answer.status).toBe(422);
  expect(answer.body).toEqual({ error: "invalid_request", detail: expect.stringContaining(field) });
});

/** Has all items' time go by: as if they had been written, or last refreshed, so many minutes ago. */
async function age({ query }: TestDatabase, minutes: number): Promise<void> {
  await query(
    `update langgraph.store_items set expires_at = expires_at - $1 * interval '1 minute',
      created_at = created_at - $1 * interval '1 minute', updated_at = updated_at - $1 * interval '1 minute'`,
    [minutes],
  );
}

test("an item whose time is up is found nowhere, and comes back as a new one", async () => {
  await using server = await startServer({ graphs: [] });
  await put(server, { namespace: ["a"], key: "short", value: {}, ttl: 10 });
  await put(server, { namespace: ["a", "b"], key: "half", value: {}, ttl: 0.5 });
  await put(server, { namespace: ["c"], key: "ever", value: {} });
  await age(server.database, 11);
  expect(await get(server, "namespace=a&key=short")).toBeNull();
  const { body } = await server.post("/store/items/search", {});
  expect(body).toMatchObject({ items: [{ key: "ever" }] });
  expect((await server.post("/store/namespaces", {})).body).toEqual({ namespaces: [["c"]] });
  expect((await server.post("/store/namespaces", { suffix: ["a"] })).body).toEqual({ namespaces: [] });
  await put(server, { namespace: ["a"], key: "short", value: { again: true } });
  const { created_at, updated_at } = Object(await get(server, "namespace=a&key=short"));
  expect(created_at).toBe(updated_at);
});

test("reads and searches start an item's time anew, unless they say no", async () => {
  await using server = await startServer({ graphs: [] });
  await put(server, { namespace: ["a"], key: "k", value: {}, ttl: 10 });
  await age(server.database, 6);
  expect(await get(server, "namespace=a&key=k")).not.toBeNull();
  await age(server.database, 6);
  expect((await server.post("/store/items/search", {})).body).toMatchObject({ items: [{ key: "k" }] });
  await age(server.database, 6);
  expect(await get(server, "namespace=a&key=k&refresh_ttl=false")).not.toBeNull();
  expect((await server.post("/store/items/search", { refresh_ttl: false })).body).toMatchObject({
    items: [{ key: "k" }],
  });
  await age(server.database, 6);
  expect(await get(server, "namespace=a&key=k")).toBeNull();
});

test("to refresh an item is not to update it", async () => {
  await using server = await startServer({ graphs: [] });
  await put(server, { namespace: ["a"], key: "k", value: {}, ttl: 10 });
  await age(server.database, 5);
  const { created_at, updated_at } = Object(await get(server, "namespace=a&key=k"));
  const [row] = await server.database.query("select expires_at from langgraph.store_items");
  expect(new Date(String(row?.["expires_at"])).getTime()).toBeGreaterThan(
    Date.parse(updated_at) + 14 * 60_000,
  );
  expect(updated_at).toBe(created_at);
});

test("the store's options say how long items live and what refreshes them", async () => {
  await using server = await startServer({
    graphs: [],
    store: { ttl: { default_ttl: 10, refresh_on_read: false } },
  });
  await put(server, { namespace: ["a"], key: "default", value: {} });
  await put(server, { namespace: ["a"], key: "ever", value: {}, ttl: null });
  await put(server, { namespace: ["a"], key: "longer", value: {}, ttl: 100 });
  await age(server.database, 6);
  await get(server, "namespace=a&key=default");
  await get(server, "namespace=a&key=longer&refresh_ttl=true");
  await age(server.database, 96);
  const { body } = await server.post("/store/items/search", {});
  expect(body).toMatchObject({ items: [{ key: "longer" }, { key: "ever" }] });
  expect(body).toHaveProperty("items.length", 2);
});

test("the timer's tick deletes what has expired", async () => {
  await using server = await startServer({ graphs: [] });
  await server.database.query(`
    insert into langgraph.store_items (namespace, key, value, created_at, updated_at, expires_at, ttl_minutes)
    select '{a}', n::text, '{}', now(), now(), case when n > 3 then now() - interval '1 second' end, 1
    from generate_series(1, 1500) n`);
  await using app = new LangGraphApp();
  const { tick } = app.doors({
    settings: { database: { url: server.database.url, poolSize: 2, migrate: false }, logLevel: "silent" },
  });
  await tick({ signal: new AbortController().signal, authLevel: "admin" });
  expect(await server.database.query("select count(*)::int as left from langgraph.store_items")).toEqual([
    { left: 3 },
  ]);
});

const Notes = Annotation.Root({ text: Annotation<string>, seen: Annotation<unknown> });

/** Notes its text in the store, and tells what the store has. */
const noting = new StateGraph(Notes)
  .addNode("note", async ({ text }, { store }: LangGraphRunnableConfig) => {
    await Promise.all([
      store?.put(["notes"], text, { text, length: text.length }),
      store?.put(["notes"], "last", { text }),
      store?.put(["notes", "gone"], text, {}),
    ]);
    await store?.delete(["notes", "gone"], text);
    return {};
  })
  .addNode("look", async (_state, { store }: LangGraphRunnableConfig) => ({
    seen: {
      last: (await store?.get(["notes"], "last"))?.value,
      missing: await store?.get(["notes"], "nothing"),
      found: (await store?.search(["notes"], { filter: { length: { $gt: 0 } } }))?.map(({ key }) => key),
    },
  }))
  .addEdge(START, "note")
  .addEdge("note", "look")
  .compile();

const invoke = async (server: TestServer, graph: string, input: unknown) =>
  (await server.post(`/graphs/${graph}/invoke`, { input })).body;

test("a graph's nodes and clients see the same items", async () => {
  await using server = await startServer({ graphs: [{ name: "noting", graph: noting }] });
  await put(server, { namespace: ["notes"], key: "mine", value: { length: 4 } });
  expect(await invoke(server, "noting", { text: "hello" })).toMatchObject({
    output: { seen: { last: { text: "hello" }, missing: null, found: ["hello", "mine"] } },
  });
  expect(await get(server, "namespace=notes&key=hello")).toMatchObject({
    value: { text: "hello", length: 5 },
  });
  expect((await server.post("/store/namespaces", {})).body).toEqual({ namespaces: [["notes"]] });
});

test("a subgraph, a tool of the functional API and another server share the store", async () => {
  const inner = new StateGraph(Notes).addNode("noting", noting).addEdge(START, "noting").compile();
  const counting = entrypoint("counting", async (_: unknown, { store }: LangGraphRunnableConfig) => {
    const items = await store?.search(["notes"]);
    return items?.length;
  });
  await using server = await startServer({ graphs: [{ name: "inner", graph: inner }] });
  await using app = new LangGraphApp({ authLevel: "anonymous" }).register({
    name: "counting",
    graph: counting,
  });
  app.doors({
    settings: { database: { url: server.database.url, poolSize: 2, migrate: false }, logLevel: "silent" },
  });
  await invoke(server, "inner", { text: "one" });
  const request = new Request("http://test/api/graphs/counting/invoke", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ input: {} }),
  });
  expect(await (await app.fetch(request)).json()).toMatchObject({ output: { result: 2 } });
});

test("an edge that asks the store does so after an edit of the state, too", async () => {
  const graph = new StateGraph(Notes)
    .addNode("first", () => ({}))
    .addNode("second", () => ({}))
    .addEdge(START, "first")
    .addConditionalEdges("first", async (_state, { store }: LangGraphRunnableConfig) =>
      (await store?.get(["flags"], "go")) === null ? END : "second",
    )
    .compile();
  await using server = await startServer({ graphs: [{ name: "flagged", graph }] });
  const edit = async () => {
    const metadata = { graph_id: "flagged" };
    const { thread_id } = Object((await server.post("/threads", { metadata })).body);
    await server.post(`/threads/${thread_id}/state`, { values: { text: "a" }, as_node: "first" });
    return (await server.get(`/threads/${thread_id}/state`)).body;
  };
  expect(await edit()).toMatchObject({ next: [] });
  await put(server, { namespace: ["flags"], key: "go", value: {} });
  expect(await edit()).toMatchObject({ next: ["second"] });
});

test("a graph that was compiled with a store of its own keeps it", async () => {
  const own = new InMemoryStore();
  const graph = new StateGraph(Notes)
    .addNode("note", async ({ text }, { store }: LangGraphRunnableConfig) => {
      await store?.put(["notes"], "k", { text });
      return {};
    })
    .addEdge(START, "note")
    .compile({ store: own });
  await using server = await startServer({ graphs: [{ name: "own", graph }] });
  await invoke(server, "own", { text: "hello" });
  expect((await own.get(["notes"], "k"))?.value).toEqual({ text: "hello" });
  expect(await get(server, "namespace=notes&key=k")).toBeNull();
});

test("a node can catch what the store refuses, and its run goes on", async () => {
  const graph = new StateGraph(Notes)
    .addNode("try", async (_state, { store }: LangGraphRunnableConfig) => {
      const refused = await store?.put(["a.b"], "k", {}).catch((error: unknown) => String(error));
      return { seen: { refused, item: await store?.get(["a"], "k") } };
    })
    .addEdge(START, "try")
    .compile();
  await using server = await startServer({ graphs: [{ name: "trying", graph }] });
  expect(await invoke(server, "trying", {})).toMatchObject({
    output: {
      seen: { refused: expect.stringContaining("labels cannot be empty or contain periods"), item: null },
    },
  });
});

test("without pgvector nothing is indexed or found by meaning, and the answer says why", async () => {
  const index = { dims: 2, embed: async (texts: string[]) => texts.map((text) => [text.length, 1]) };
  await using server = await startServer({ graphs: [], store: { index } });
  const missing = {
    status: 422,
    body: {
      error: "invalid_request",
      detail: "Nothing can be found by meaning: the database has no pgvector (its extension `vector`)",
    },
  };
  const item = { namespace: ["a"], key: "k", value: { text: "warm" } };
  expect(await put(server, item)).toMatchObject(missing);
  expect(await get(server, "namespace=a&key=k")).toBeNull();
  expect(await server.post("/store/items/search", { query: "warm" })).toMatchObject(missing);
  expect(await put(server, { ...item, index: false })).toMatchObject({ status: 204 });
  expect((await server.post("/store/items/search", {})).body).toMatchObject({ items: [{ key: "k" }] });
});

test("options of the store that are wrong are named", () => {
  const wrong = {
    index: { dims: 0, embed: Object("openai:text-embedding-3-small"), fields: [] },
    ttl: { default_ttl: -1, sweep_interval_minutes: 5 },
  };
  expect(() => new LangGraphApp({ store: wrong })).toThrow(
    /store\.index\.dims: .*store\.index\.embed: must be LangChain Embeddings, or a function.*store\.index\.fields: .*store\.ttl\.default_ttl: .*store\.ttl: .*sweep_interval_minutes/,
  );
});
