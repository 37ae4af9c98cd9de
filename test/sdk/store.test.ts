/** The official SDK's `client.store`, method by method, over real HTTP. */

import { expect, test } from "vitest";
import { clientOf } from "../support/sdk.ts";
import { startServer, type TestServer } from "../support/server.ts";

const storeOf = (server: TestServer) => clientOf(server).store;
const keys = ({ items }: { readonly items: readonly { readonly key: string }[] }) =>
  items.map(({ key }) => key);

test("an item is stored, read, replaced and deleted", async () => {
  await using server = await startServer({ graphs: [] });
  const store = storeOf(server);
  expect(await store.getItem(["users", "ada"], "likes")).toBeNull();
  await store.putItem(["users", "ada"], "likes", { fruit: "pear", deep: [{ a: null }] });
  const first = await store.getItem(["users", "ada"], "likes");
  expect(first).toEqual({
    namespace: ["users", "ada"],
    key: "likes",
    value: { fruit: "pear", deep: [{ a: null }] },
    created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    updated_at: first?.createdAt,
    createdAt: first?.createdAt,
    updatedAt: first?.createdAt,
  });
  await store.putItem(["users", "ada"], "likes", { fruit: "plum" });
  const second = await store.getItem(["users", "ada"], "likes");
  expect(second).toMatchObject({ value: { fruit: "plum" }, createdAt: first?.createdAt });
  expect(Date.parse(String(second?.updatedAt))).toBeGreaterThan(Date.parse(String(first?.updatedAt)));
  await store.deleteItem(["users", "ada"], "likes");
  expect(await store.getItem(["users", "ada"], "likes")).toBeNull();
  await store.deleteItem(["users", "ada"], "likes");
});

test("items of the same key in other namespaces are others", async () => {
  await using server = await startServer({ graphs: [] });
  const store = storeOf(server);
  const namespaces = [["a"], ["a", "b"], ["a-b"], ["a:b"], ["ab"], ["A"], ["ä", "日本"], ["a\u0001"]];
  for (const namespace of namespaces) await store.putItem(namespace, "k", { of: namespace });
  for (const namespace of namespaces)
    expect((await store.getItem(namespace, "k"))?.value).toEqual({ of: namespace });
});

test("a search finds what is below a namespace, and not beside it, the newest first", async () => {
  await using server = await startServer({ graphs: [] });
  const store = storeOf(server);
  await store.putItem(["a"], "top", {});
  await store.putItem(["a", "b"], "below", {});
  await store.putItem(["a", "b", "c"], "deeper", {});
  for (const beside of [["ab"], ["a-b"], ["a!"], ["a\u0001"], ["b", "a"]])
    await store.putItem(beside, "beside", {});
  await store.putItem(["a"], "top", { again: true });
  expect(keys(await store.searchItems(["a"]))).toEqual(["top", "deeper", "below"]);
  expect(keys(await store.searchItems(["a", "b"]))).toEqual(["deeper", "below"]);
  expect(keys(await store.searchItems([]))).toHaveLength(8);
  expect(await store.searchItems(["nobody"])).toEqual({ items: [] });
  const { items } = await store.searchItems(["a", "b", "c"]);
  expect(items).toEqual([{ ...(await store.getItem(["a", "b", "c"], "deeper")) }]);
});

test("searches come in pages", async () => {
  await using server = await startServer({ graphs: [] });
  const store = storeOf(server);
  for (let index = 0; index < 12; index += 1) await store.putItem(["n"], String(index), { index });
  expect(keys(await store.searchItems(["n"]))).toHaveLength(10);
  expect(keys(await store.searchItems(["n"], { limit: 3 }))).toEqual(["11", "10", "9"]);
  expect(keys(await store.searchItems(["n"], { limit: 3, offset: 3 }))).toEqual(["8", "7", "6"]);
  expect(keys(await store.searchItems(["n"], { limit: 5, offset: 11 }))).toEqual(["0"]);
});

const people = {
  ada: { name: "Ada", age: 36, tags: ["x"], address: { city: "London", code: 1 }, since: "2024-02-01" },
  bob: { name: "Bob", age: 7, tags: ["x", "y"], address: { city: "Paris" }, since: "2023-12-31", pet: null },
  cyd: { name: "Cyd", age: "40", since: "2025-01-01" },
};

test.each([
  [{ name: "Ada" }, ["ada"]],
  [{ name: "Ada", age: 7 }, []],
  [{ age: 36 }, ["ada"]],
  [{ age: "36" }, []],
  [{ pet: null }, ["bob"]],
  [{ tags: ["x"] }, ["ada"]],
  [{ address: { city: "London" } }, ["ada"]],
  [{ name: { $eq: "Bob" } }, ["bob"]],
  [{ name: { $ne: "Bob" } }, ["ada", "cyd"]],
  [{ pet: { $ne: null } }, ["ada", "cyd"]],
  [{ age: { $gt: 7 } }, ["ada", "cyd"]],
  [{ age: { $gte: 7, $lt: 36 } }, ["bob"]],
  [{ age: { $lte: "36" } }, ["ada", "bob"]],
  [{ age: { $lt: 7 } }, []],
  [{ name: { $gt: 0 } }, []],
  [{ since: { $gte: "2024-01-01", $lt: "2025-01-01" } }, ["ada"]],
  [{ name: { $in: ["Ada", "Cyd", 3] } }, ["ada", "cyd"]],
  [{ age: { $nin: [7, "40"] } }, ["ada"]],
  [{ pet: { $nin: [1] } }, ["ada", "bob", "cyd"]],
  [{}, ["ada", "bob", "cyd"]],
])("the filter %j finds %j", async (filter, expected) => {
  await using server = await startServer({ graphs: [] });
  const store = storeOf(server);
  for (const [key, value] of Object.entries(people)) await store.putItem(["people"], key, value);
  expect(keys(await store.searchItems(["people"], { filter })).sort()).toEqual(expected);
});

test("namespaces are listed by prefix, suffix and depth, in pages", async () => {
  await using server = await startServer({ graphs: [] });
  const store = storeOf(server);
  const all = [["a"], ["a", "b", "v1"], ["a", "b", "v2"], ["a", "c", "v1"], ["a-b", "v1"], ["b", "c"]];
  for (const namespace of all) for (const key of ["1", "2"]) await store.putItem(namespace, key, {});
  const list = async (options?: Parameters<typeof store.listNamespaces>[0]) =>
    (await store.listNamespaces(options)).namespaces.map((labels) => labels.join("/"));
  expect(await list()).toEqual(["a", "a/b/v1", "a/b/v2", "a/c/v1", "a-b/v1", "b/c"]);
  expect(await list({ prefix: ["a"] })).toEqual(["a", "a/b/v1", "a/b/v2", "a/c/v1"]);
  expect(await list({ prefix: ["a", "b"], maxDepth: 2 })).toEqual(["a/b"]);
  expect(await list({ maxDepth: 1 })).toEqual(["a", "a-b", "b"]);
  expect(await list({ maxDepth: 2 })).toEqual(["a", "a/b", "a/c", "a-b/v1", "b/c"]);
  expect(await list({ maxDepth: 2, limit: 2, offset: 1 })).toEqual(["a/b", "a/c"]);
  expect(await list({ suffix: ["v1"] })).toEqual(["a/b/v1", "a/c/v1", "a-b/v1"]);
  expect(await list({ suffix: ["v1"], maxDepth: 1 })).toEqual(["a", "a-b"]);
  expect(await list({ prefix: ["a", "*", "v1"] })).toEqual(["a/b/v1", "a/c/v1"]);
  expect(await list({ prefix: ["*", "c"] })).toEqual(["a/c/v1", "b/c"]);
  expect(await list({ suffix: ["b", "*"], limit: 1, offset: 1 })).toEqual(["a/b/v2"]);
  expect(await list({ prefix: ["nobody"] })).toEqual([]);
  await store.deleteItem(["b", "c"], "1");
  expect(await list({ prefix: ["b"] })).toEqual(["b/c"]);
  await store.deleteItem(["b", "c"], "2");
  expect(await list({ prefix: ["b"] })).toEqual([]);
});

test("a name that no namespace can have is refused", async () => {
  await using server = await startServer({ graphs: [] });
  const store = storeOf(server);
  await expect(store.putItem(["a", ""], "k", {})).rejects.toThrow("namespace: labels cannot be empty");
  await expect(store.putItem([], "k", {})).rejects.toThrow("namespace: needs at least one label");
  await expect(store.putItem(["langgraph"], "k", {})).rejects.toThrow("reserved");
  await expect(store.putItem(["a"], "k".repeat(1025), {})).rejects.toThrow(
    "key: 1025 bytes (max 1024 bytes)",
  );
  await expect(store.searchItems(["a.b"])).rejects.toThrow("namespace_prefix: labels cannot");
  await expect(store.listNamespaces({ prefix: [""] })).rejects.toThrow("prefix: labels cannot");
  await expect(store.searchItems(["a"], { filter: { n: { $near: 1 } } })).rejects.toThrow(
    "filter.n.$near: must be one of",
  );
  await store.putItem(["ä".repeat(512)], "ä".repeat(512), { fits: true });
  expect((await store.getItem(["ä".repeat(512)], "ä".repeat(512)))?.value).toEqual({ fits: true });
});

test("a search by meaning is refused where there is no embedding function", async () => {
  await using server = await startServer({ graphs: [] });
  const store = storeOf(server);
  await expect(store.searchItems(["a"], { query: "warm things" })).rejects.toThrow(
    "query: this store has no embedding function",
  );
  await expect(store.putItem(["a"], "k", {}, { index: ["text"] })).rejects.toThrow(
    "index: this store has no",
  );
  await store.putItem(["a"], "k", {}, { index: false });
});
