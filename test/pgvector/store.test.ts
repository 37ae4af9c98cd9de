/** What is found by meaning, on a Postgres with pgvector. */

import { Embeddings } from "@langchain/core/embeddings";
import { Annotation, type LangGraphRunnableConfig, START, StateGraph } from "@langchain/langgraph";
import { LangGraphApp, type AppOptions } from "langgraph-functions";
import { expect, test } from "vitest";
import { z } from "zod";
import type { Policy } from "../../src/core/auth.ts";
import { writeItems } from "../../src/core/store.ts";
import { storeOf as ownStoreOf } from "../../src/core/store-access.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { clientOf } from "../support/sdk.ts";
import { appWithUsers } from "../support/users.ts";
import { startServer, type TestServer } from "../support/server.ts";

const TOPICS = ["warm", "cold", "sweet", "sour"];

/** How often each topic is in a text: texts about the same are near each other. */
const topicsIn = (text: string): number[] => TOPICS.map((topic) => text.split(topic).length - 1 + 0.01);
const embed = async (texts: string[]) => texts.map(topicsIn);
const index = { dims: TOPICS.length, embed, fields: ["text"] };

const storeOf = (server: TestServer) => clientOf(server).store;
const keys = ({ items }: { readonly items: readonly { readonly key: string }[] }) =>
  items.map(({ key }) => key);

/** Undoes what an earlier test has made on demand in the same database. */
async function withoutVectors({ query }: TestDatabase): Promise<void> {
  await query(`do $$ begin execute coalesce((
    select 'drop table ' || string_agg(format('langgraph.%I', tablename), ', ')
    from pg_tables where schemaname = 'langgraph' and tablename like 'store_vectors%'), 'select'); end $$`);
  await query("drop extension if exists vector cascade");
}

async function open(store: NonNullable<AppOptions["store"]> = { index }): Promise<TestServer> {
  const server = await startServer({ graphs: [], store });
  await withoutVectors(server.database);
  return server;
}

test("items come in the order of their nearness to a query, with a score", async () => {
  await using server = await open();
  const store = storeOf(server);
  await store.putItem(["food", "a"], "soup", { text: "warm soup" });
  await store.putItem(["food"], "ice", { text: "cold and sweet ice" });
  await store.putItem(["food"], "cocoa", { text: "warm and sweet cocoa" });
  await store.putItem(["other"], "bath", { text: "warm bath" });
  await store.putItem(["food"], "unnamed", { title: "warm" });
  const { items } = await store.searchItems(["food"], { query: "something warm" });
  expect(items.map(({ key }) => key)).toEqual(["soup", "cocoa", "ice"]);
  const scores = items.map(({ score }) => score ?? Number.NaN);
  expect(scores[0]).toBeCloseTo(1, 3);
  expect(scores[1]).toBeCloseTo(Math.SQRT1_2, 1);
  expect(scores[2]).toBeLessThan(0.1);
  expect(keys(await store.searchItems(["food"], { query: "warm", limit: 1, offset: 1 }))).toEqual(["cocoa"]);
  expect(keys(await store.searchItems(["food"], { query: "warm", offset: 3 }))).toEqual([]);
  expect(
    keys(await store.searchItems([], { query: "warm", filter: { text: { $ne: "warm soup" } } })),
  ).toEqual(["bath", "cocoa", "ice"]);
  const [plain] = (await store.searchItems(["food"], { query: "" })).items;
  expect(plain).toMatchObject({ key: "unnamed" });
  expect(plain).not.toHaveProperty("score");
});

test("what is indexed of an item is for the item to say", async () => {
  await using server = await open();
  const store = storeOf(server);
  const found = async (query: string) => {
    const { items } = await store.searchItems(["n"], { query });
    return items.flatMap(({ key, score = 0 }) => (score > 0.9 ? [key] : []));
  };
  await store.putItem(["n"], "hidden", { text: "warm" }, { index: false });
  await store.putItem(["n"], "title", { text: "cold", title: "warm" }, { index: ["title"] });
  await store.putItem(
    ["n"],
    "list",
    { parts: [{ is: "sweet" }, { is: "sour" }] },
    { index: ["parts[*].is"] },
  );
  expect(await found("warm")).toEqual(["title"]);
  expect(await found("cold")).toEqual([]);
  expect(await found("sweet")).toEqual(["list"]);
  expect(await found("sour")).toEqual(["list"]);
  await store.putItem(["n"], "list", { parts: [{ is: "cold" }] }, { index: ["parts[*].is"] });
  expect(await found("sour")).toEqual([]);
  expect(await found("cold")).toEqual(["list"]);
  await store.putItem(["n"], "title", { text: "sweet", title: "warm" }, { index: false });
  expect(await found("warm")).toEqual([]);
  await store.deleteItem(["n"], "list");
  expect(await found("cold")).toEqual([]);
});

test("an item that has expired is not found by meaning, and what is found lives on", async () => {
  await using server = await open();
  const store = storeOf(server);
  await store.putItem(["n"], "old", { text: "warm" }, { ttl: 1 });
  await store.putItem(["n"], "kept", { text: "warm" }, { ttl: 20 });
  const age = async (minutes: number) =>
    server.database.query(
      "update langgraph.store_items set expires_at = expires_at - $1 * interval '1 minute'",
      [minutes],
    );
  await age(15);
  expect(keys(await store.searchItems(["n"], { query: "warm" }))).toEqual(["kept"]);
  await age(15);
  expect(keys(await store.searchItems(["n"], { query: "warm", refreshTtl: false }))).toEqual(["kept"]);
  await age(6);
  expect(keys(await store.searchItems(["n"], { query: "warm" }))).toEqual([]);
});

test("instances that start at once on a new database all write and search", async () => {
  await using database = await testDatabase();
  await withoutVectors(database);
  const call = (path: string, method: string, body: object) =>
    new Request(`http://test/api${path}`, { method, body: JSON.stringify(body) });
  const instances = Array.from({ length: 8 }, async (_, number) => {
    await using app = new LangGraphApp({ authLevel: "anonymous", store: { index } });
    app.doors({
      settings: { database: { url: database.url, poolSize: 2, migrate: false }, logLevel: "silent" },
    });
    const item = { namespace: ["n"], key: String(number), value: { text: "warm" } };
    const put = await app.fetch(call("/store/items", "PUT", item));
    const search = { namespace_prefix: ["n"], query: "warm", filter: { text: "warm" } };
    const found = await app.fetch(call("/store/items/search", "POST", search));
    return [put.status, found.status];
  });
  expect(await Promise.all(instances)).toEqual(instances.map(() => [204, 200]));
});

const Notes = Annotation.Root({ text: Annotation<string>, found: Annotation<unknown> });

class Topics extends Embeddings {
  constructor() {
    super({});
  }
  override embedDocuments = embed;
  override embedQuery = async (text: string) => topicsIn(text);
}

test("a graph's nodes find by meaning what clients have stored, and the other way around", async () => {
  const remembering = new StateGraph(Notes)
    .addNode("remember", async ({ text }, { store }: LangGraphRunnableConfig) => {
      await store?.put(["memories"], text, { text });
      return {};
    })
    .addNode("recall", async ({ text }, { store }: LangGraphRunnableConfig) => {
      const found = await store?.search(["memories"], { query: text, limit: 2 });
      return { found: found?.map(({ key, score = 0 }) => `${key} ${score.toFixed(1)}`).sort() };
    })
    .addEdge(START, "remember")
    .addEdge("remember", "recall")
    .compile();
  const store = { index: { dims: 4, embed: new Topics() } };
  await using server = await startServer({ graphs: [{ name: "remembering", graph: remembering }], store });
  await storeOf(server).putItem(["memories"], "mine", { warm: "warm" });
  const { body } = await server.post("/graphs/remembering/invoke", { input: { text: "warm" } });
  expect(Object(body)["output"].found).toEqual(["mine 1.0", "warm 1.0"]);
  expect(keys(await storeOf(server).searchItems([], { query: "warm" })).sort()).toEqual(["mine", "warm"]);
});

test("the few items of a namespace are found among very many nearer ones", async () => {
  await using server = await open();
  const store = storeOf(server);
  await store.putItem(["mine"], "a", { text: "cold" });
  await store.putItem(["mine"], "b", { text: "sour" });
  await server.database.query("drop index langgraph.store_vectors_4_by_nearness");
  await server.database.query(`
    with many as (
      insert into langgraph.store_items (namespace, key, value, created_at, updated_at)
      select array['others', (n % 100)::text], n::text, '{}', now(), now() from generate_series(1, 5000) n
      returning namespace, key, updated_at
    )
    insert into langgraph.store_vectors_4 (namespace, key, path, embedding, written_at)
    select namespace, key, 'text', array[1, 0.01, key::float / 1e6, 0.01]::real[]::vector, updated_at from many`);
  await server.database.query(`create index store_vectors_4_by_nearness on langgraph.store_vectors_4
    using hnsw (embedding vector_cosine_ops)`); // afterwards, which is quicker
  await server.database.query("analyze langgraph.store_items, langgraph.store_vectors_4");
  expect(keys(await store.searchItems(["mine"], { query: "warm" })).sort()).toEqual(["a", "b"]);
  expect(keys(await store.searchItems([], { query: "warm", filter: { text: { $in: ["cold"] } } }))).toEqual([
    "a",
  ]);
  expect(keys(await store.searchItems([], { query: "warm", limit: 50 }))).toHaveLength(50);
  expect(keys(await store.searchItems(["others", "7"], { query: "warm", limit: 100 }))).toHaveLength(50);
});

test.each([
  [2000, "vector(2000)", true],
  [3072, "halfvec(3072)", true],
  [4001, "vector(4001)", false],
])("vectors of %i dimensions are kept as %s, in an index: %s", async (dims, type, isIndexed) => {
  const wide = async (texts: string[]) =>
    texts.map((text) => Array.from({ length: dims }, (_, at) => topicsIn(text)[at] ?? 0));
  await using server = await open({ index: { dims, embed: wide } });
  const store = storeOf(server);
  await store.putItem(["n"], "a", { text: "warm" });
  await store.putItem(["n"], "b", { text: "cold" });
  expect(keys(await store.searchItems(["n"], { query: "cold" }))).toEqual(["b", "a"]);
  const columns = await server.database.query(
    `select format_type(atttypid, atttypmod) as type from pg_attribute
    where attrelid = $1::regclass and attname = 'embedding'`,
    [`langgraph.store_vectors_${dims}`],
  );
  expect(columns).toEqual([{ type }]);
  const indexes = await server.database.query("select from pg_indexes where indexdef like '%hnsw%'");
  expect(indexes).toHaveLength(isIndexed ? 1 : 0);
});

test.each([
  ["fails", async () => Promise.reject(new Error("secret of the embedding function"))],
  ["gives too few vectors", async () => []],
  ["gives vectors of other dimensions", async (texts: string[]) => texts.map(() => [1, 2, 3])],
  ["gives no numbers", async (texts: string[]) => texts.map(() => [1, 2, 3, Number.NaN])],
])("an embedding function that %s is named, and nothing is stored", async (_, broken) => {
  await using server = await open({ index: { dims: 4, embed: broken } });
  const item = { namespace: ["n"], key: "k", value: { text: "warm" } };
  const put = await server.post("/store/items", item, { method: "PUT" });
  expect(put.status).toBe(502);
  expect(put.body).toMatchObject({
    error: "embedding_failed",
    detail: expect.stringMatching(/^The embedding function failed \(error id /),
  });
  expect((await server.get("/store/items?namespace=n&key=k")).text).toBe("null");
  const search = await server.post("/store/items/search", { query: "warm" });
  expect(search.status).toBe(502);
  expect(server.errors).toHaveLength(2);
});

test("a database user who may not install pgvector is told so", async () => {
  await using server = await open();
  const name = `plain_${process.pid}`;
  await server.database.query(`create role ${name} login password 'plain'`);
  await server.database.query(`grant usage, create on schema langgraph to ${name}`);
  await server.database.query(`grant all on all tables in schema langgraph to ${name}`);
  const url = new URL(server.database.url);
  url.username = name;
  url.password = "plain";
  await using app = new LangGraphApp({ authLevel: "anonymous", store: { index } });
  app.doors({ settings: { database: { url: url.href, poolSize: 2, migrate: false }, logLevel: "silent" } });
  const ask = async () => {
    const body = JSON.stringify({ query: "warm" });
    const answer = await app.fetch(
      new Request("http://test/api/store/items/search", { method: "POST", body }),
    );
    return [answer.status, await answer.text()];
  };
  expect(await ask()).toEqual([
    422,
    expect.stringContaining("have an administrator run `create extension vector`"),
  ]);
  await server.database.query("create extension vector");
  await server.database.query(`grant references on langgraph.store_items to ${name}`);
  expect(await ask()).toEqual([200, '{"items":[]}']);
});

test("what is nearest is searched for among the items of who asks, however many are nearer in other stores", async () => {
  await using app = await appWithUsers({ store: { index } });
  await withoutVectors(app.database);
  const write = async (identity: string, texts: readonly string[]) => {
    const store = ownStoreOf(app.parts.store, identity);
    await writeItems(
      store,
      texts.map((text, number) => ({ namespace: ["n"], key: `${number}`, value: { text } })),
    );
  };
  for (const other of ["bob", "eve", "zoe"])
    await write(
      other,
      Array.from({ length: 400 }, () => "warm"),
    );
  await write("ada", ["cold", "sweet", "warm and cold", "sour"]);
  await app.database.query(`analyze langgraph.store_vectors_${index.dims}`);
  const search = async (who: string, body: object) => {
    const { body: found } = await app.as(who).ask("POST", "/store/items/search", { query: "warm", ...body });
    return Found.parse(found).items.map(({ namespace, value }) => [...namespace, value.text].join("/"));
  };
  expect(await search("ada", { limit: 1 })).toEqual(["n/warm and cold"]);
  expect(await search("ada", { limit: 10 })).toHaveLength(4);
  expect(await search("ada", { namespace_prefix: ["n"], filter: { text: "cold" } })).toEqual(["n/cold"]);
  expect(await search("bob", { limit: 1_000 })).toEqual(Array.from({ length: 400 }, () => "n/warm"));
  expect(await search("new", {})).toEqual([]);
});

test("where a handler's filter says who reaches what, the nearest are those that are reached", async () => {
  const policy: Policy = {
    decidesStore: true,
    decide: async ({ identity }, _, value) => ({
      value,
      scope: { metadata: [{ field: "owner", is: identity }] },
    }),
  };
  await using app = await appWithUsers({ store: { index }, policy });
  await withoutVectors(app.database);
  const put = async (owner: string, key: string, text: string) => {
    const item = { namespace: ["n"], key, value: { owner, text } };
    return (await app.as(owner).ask("PUT", "/store/items", item)).status;
  };
  for (let number = 0; number < 50; number += 1) expect(await put("bob", `${number}`, "warm")).toBe(204);
  expect(await put("ada", "own", "warm and cold")).toBe(204);
  expect(await put("ada", "7", "cold")).toBe(404);
  const search = async (who: string, limit: number) => {
    const body = { query: "warm", limit };
    return Found.parse((await app.as(who).ask("POST", "/store/items/search", body)).body).items;
  };
  expect(await search("ada", 1)).toMatchObject([{ value: { text: "warm and cold" } }]);
  expect(await search("ada", 10)).toHaveLength(1);
  expect(await search("bob", 100)).toHaveLength(50);
});

const Found = z.object({
  items: z.array(z.object({ namespace: z.array(z.string()), value: z.object({ text: z.string() }) })),
});
