/** The store in LangGraph's terms, side by side with LangGraph's own in-memory store. */

import { type BaseStore, InMemoryStore } from "@langchain/langgraph-checkpoint";
import { type PoolClient } from "pg";
import { expect, test, vi } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { GraphStore } from "../../src/engine/store.ts";
import { openDatabase, type Database } from "../../src/postgres/pool.ts";
import { itemStore } from "../../src/postgres/store.ts";
import { testDatabase } from "../support/database.ts";

interface OpenStore extends AsyncDisposable {
  readonly store: BaseStore;
  readonly database: Database;
}

async function openStore(): Promise<OpenStore> {
  const test = await testDatabase();
  const database = openDatabase({ url: test.url, poolSize: 4, migrate: false });
  const store = new GraphStore({
    items: itemStore(database),
    clock: systemClock,
    ttl: { refresh_on_read: true },
    index: undefined,
  });
  return {
    store,
    database,
    [Symbol.asyncDispose]: async () => {
      await database[Symbol.asyncDispose]();
      await test[Symbol.asyncDispose]();
    },
  };
}

/** Without what differs from call to call, in an order of its own. */
function plain(answer: unknown): unknown {
  const item = ({ namespace, key, value }: Record<string, unknown>) =>
    JSON.stringify([namespace, key, value]);
  if (!Array.isArray(answer)) return answer === null || answer === undefined ? answer : item(Object(answer));
  return answer.map((each: unknown) => (Array.isArray(each) ? each.join("/") : item(Object(each)))).sort();
}

async function fill(store: BaseStore): Promise<void> {
  await store.put(["docs"], "top", { kind: "note", size: 1 });
  await store.put(["docs", "a"], "one", { kind: "note", size: 2, tags: ["x"] });
  await store.put(["docs", "a"], "two", { kind: "memo", size: 10, when: null });
  await store.put(["docs", "b"], "one", { kind: "memo", size: "12" });
  await store.put(["users", "ada", "prefs"], "theme", { dark: true });
  await store.put(["docs", "a"], "two", { kind: "memo", size: 11, when: null });
  await store.delete(["docs", "b"], "nothing");
}

const questions: readonly [string, (store: BaseStore) => Promise<unknown>][] = [
  ["an item", async (store) => store.get(["docs", "a"], "two")],
  ["no item", async (store) => store.get(["docs"], "two")],
  ["all below a namespace", async (store) => store.search(["docs"])],
  ["everything", async (store) => store.search([])],
  ["equality", async (store) => store.search(["docs"], { filter: { kind: "note" } })],
  ["equality of null", async (store) => store.search(["docs"], { filter: { when: null } })],
  ["inequality", async (store) => store.search(["docs"], { filter: { kind: { $ne: "note" } } })],
  ["a range", async (store) => store.search(["docs"], { filter: { size: { $gt: 1, $lte: 11 } } })],
  ["numbers as text", async (store) => store.search(["docs"], { filter: { size: { $gte: "11" } } })],
  ["membership", async (store) => store.search([], { filter: { size: { $in: [1, "12", 3] } } })],
  ["no membership", async (store) => store.search([], { filter: { size: { $nin: [1, "12", 3] } } })],
  ["two filters", async (store) => store.search([], { filter: { kind: "memo", size: { $lt: 12 } } })],
  ["an empty query", async (store) => store.search(["docs"], { query: "" })],
  ["namespaces by prefix", async (store) => store.listNamespaces({ prefix: ["docs"] })],
  ["namespaces by suffix", async (store) => store.listNamespaces({ suffix: ["prefs"] })],
  ["namespaces by wildcard", async (store) => store.listNamespaces({ prefix: ["users", "*"] })],
  ["namespaces by depth", async (store) => store.listNamespaces({ maxDepth: 1 })],
  ["a page of namespaces", async (store) => store.listNamespaces({ limit: 1, offset: 1 })],
];

test("it answers as LangGraph's in-memory store does", async () => {
  await using ours = await openStore();
  const theirs = new InMemoryStore();
  for (const store of [ours.store, theirs]) await fill(store);
  await ours.store.put(["docs", "gone"], "k", {}); // the other would go on listing its namespace
  await ours.store.delete(["docs", "gone"], "k");
  for (const [name, ask] of questions)
    expect([name, plain(await ask(ours.store))]).toEqual([name, plain(await ask(theirs))]);
});

test.each([[[]], [["a.b"]], [["a", ""]], [["langgraph"]]])(
  "both refuse to write into the namespace %j",
  async (namespace) => {
    await using ours = await openStore();
    for (const store of [ours.store, new InMemoryStore()])
      await expect(store.put(namespace, "k", {})).rejects.toMatchObject({ name: "InvalidNamespaceError" });
    const writing = ours.store.batch([{ namespace, key: "k", value: {} }]);
    await expect(writing).rejects.toThrow(/label/);
  },
);

test("a batch answers in its order, reads before it writes, and keeps the last of several writes", async () => {
  await using ours = await openStore();
  const namespace = ["n"];
  await ours.store.put(namespace, "k", { version: 1 });
  const answers = await ours.store.batch([
    { namespace, key: "k", value: { version: 2 } },
    { namespace, key: "k" },
    { namespacePrefix: ["n"] },
    { namespace, key: "k", value: null },
    { namespace, key: "other" },
    { limit: 10, offset: 0, matchConditions: [{ matchType: "prefix" as const, path: ["n"] }] },
    { namespace, key: "k", value: { version: 3 } },
    { namespace, key: "k" },
  ]);
  const before = expect.objectContaining({ key: "k", value: { version: 1 } });
  expect(answers).toEqual([undefined, before, [before], undefined, null, [["n"]], undefined, before]);
  expect((await ours.store.get(namespace, "k"))?.value).toEqual({ version: 3 });
});

test("a batch is one statement for each kind of operation, however many there are", async () => {
  await using ours = await openStore();
  const queries: { readonly mock: { readonly calls: readonly unknown[] } }[] = [];
  ours.database.pool.on("connect", (client: PoolClient) => queries.push(vi.spyOn(client, "query")));
  const count = () => queries.flatMap(({ mock }) => mock.calls).length;
  const keys = Array.from({ length: 50 }, (_, index) => String(index));
  await ours.store.batch(keys.map((key) => ({ namespace: ["n", key], key, value: { key } })));
  expect(count()).toBe(1);
  const found = await ours.store.batch(keys.map((key) => ({ namespace: ["n", key], key })));
  expect(found.map((item) => item?.key)).toEqual(keys);
  expect(count()).toBe(2);
  const pages = await ours.store.batch(keys.map((key) => ({ namespacePrefix: ["n", key] })));
  expect(pages.map((page) => page.map((item) => item.key))).toEqual(keys.map((key) => [key]));
  expect(count()).toBe(3);
});

test("writers of the same items do not get in each other's way", async () => {
  await using ours = await openStore();
  const keys = Array.from({ length: 40 }, (_, index) => String(index));
  const written = Array.from({ length: 24 }, async (_, writer) => {
    const order = writer % 2 === 0 ? keys : keys.toReversed();
    const value = writer % 3 === 0 ? null : { writer };
    await ours.store.batch(
      order.map((key, index) => ({ namespace: ["n"], key, value: index % 2 === 0 ? value : { writer } })),
    );
  });
  await Promise.all(written);
  const items = await ours.store.search(["n"], { limit: 100 });
  expect(items.length).toBeGreaterThanOrEqual(20);
});

test.each([[undefined], ["text"], [[1]]])(
  "a value that is %j is refused, and deletes nothing",
  async (value) => {
    await using ours = await openStore();
    await ours.store.put(["n"], "k", { kept: true });
    await expect(
      Promise.resolve(Reflect.apply(ours.store.put.bind(ours.store), undefined, [["n"], "k", value])),
    ).rejects.toThrow("value: must be an object");
    expect((await ours.store.get(["n"], "k"))?.value).toEqual({ kept: true });
  },
);
