/** What each field of the requests about the store does. */

import { expect } from "vitest";
import { fresh, type Effect, type Effects, type Place } from "./place.ts";

type Store = Place["client"]["store"];

/** A namespace with two items, the newer one last. */
async function filled({ client }: Place) {
  const namespace = [fresh(), "users"];
  await client.store.putItem(namespace, "ada", { name: "Ada", age: 36 });
  await client.store.putItem(namespace, "bob", { name: "Bob", age: 7 });
  return namespace;
}

const putting: Effects = {
  ...Object.fromEntries(
    ["namespace", "key", "value"].map((field) => [
      field,
      async (place: Place) => {
        const namespace = await filled(place);
        expect(await place.client.store.getItem(namespace, "ada")).toMatchObject({
          namespace,
          key: "ada",
          value: { name: "Ada" },
        });
      },
    ]),
  ),
  index: async ({ client }) =>
    expect(client.store.putItem([fresh()], "key", {}, { index: ["name"] })).rejects.toThrow(/422.*index/s),
  ttl: async (place) => {
    const namespace = await filled(place);
    await place.client.store.putItem(namespace, "cyd", { name: "Cyd" }, { ttl: 5 });
    expect(await minutesLeft(place, namespace, "cyd")).toBeCloseTo(5, 0);
  },
};

/** Until the item is gone. */
async function minutesLeft({ server }: Place, namespace: readonly string[], key: string): Promise<number> {
  const [row] = await server.database.query(
    `select extract(epoch from expires_at - now())::float8 / 60 as minutes
      from langgraph.store_items where namespace = $1 and key = $2`,
    [namespace, key],
  );
  return Number(row?.["minutes"]);
}

/** Half of an item's time has gone by; then it is read. */
const refreshed = (
  read: (place: Place, namespace: string[], refreshTtl: boolean) => Promise<unknown>,
): Effect => {
  return async (place) => {
    const namespace = [fresh()];
    await place.client.store.putItem(namespace, "key", {}, { ttl: 60 });
    await place.server.database.query(
      "update langgraph.store_items set expires_at = expires_at - interval '30 minutes' where namespace = $1",
      [namespace],
    );
    await read(place, namespace, false);
    expect(await minutesLeft(place, namespace, "key")).toBeCloseTo(30, 0);
    await read(place, namespace, true);
    expect(await minutesLeft(place, namespace, "key")).toBeCloseTo(60, 0);
  };
};

const found = (query: NonNullable<Parameters<Store["searchItems"]>[1]>, keys: readonly string[]): Effect => {
  return async (place) => {
    const { items } = await place.client.store.searchItems(await filled(place), query);
    expect(items.map(({ key }) => key)).toEqual(keys);
  };
};

const listed = (
  query: (root: string) => NonNullable<Parameters<Store["listNamespaces"]>[0]>,
  expected: (root: string) => readonly (readonly string[])[],
): Effect => {
  return async ({ client }) => {
    const root = fresh();
    for (const path of [["a", "x"], ["b"]]) await client.store.putItem([root, ...path], "key", {});
    const { namespaces } = await client.store.listNamespaces({ prefix: [root], ...query(root) });
    expect(namespaces).toEqual(expected(root));
  };
};

export const storeEffects: Readonly<Record<string, Effects>> = {
  "store.putItem": putting,
  "store.getItem": {
    namespace: async (place) =>
      expect(await place.client.store.getItem(await filled(place), "ada")).toMatchObject({ key: "ada" }),
    key: async (place) =>
      expect(await place.client.store.getItem(await filled(place), "bob")).toMatchObject({ key: "bob" }),
    refresh_ttl: refreshed(async ({ client }, namespace, refreshTtl) =>
      client.store.getItem(namespace, "key", { refreshTtl }),
    ),
  },
  "store.deleteItem": Object.fromEntries(
    ["namespace", "key"].map((field) => [
      field,
      async (place: Place) => {
        const namespace = await filled(place);
        await place.client.store.deleteItem(namespace, "ada");
        expect(await place.client.store.getItem(namespace, "ada")).toBeNull();
        expect(await place.client.store.getItem(namespace, "bob")).not.toBeNull();
      },
    ]),
  ),
  "store.searchItems": {
    namespace_prefix: found({}, ["bob", "ada"]),
    filter: found({ filter: { age: { $gt: 10 } } }, ["ada"]),
    limit: found({ limit: 1 }, ["bob"]),
    offset: found({ offset: 1 }, ["ada"]),
    refresh_ttl: refreshed(async ({ client }, namespace, refreshTtl) =>
      client.store.searchItems(namespace, { refreshTtl }),
    ),
    query: async (place) =>
      expect(place.client.store.searchItems(await filled(place), { query: "a person" })).rejects.toThrow(
        /422.*query/s,
      ),
  },
  "store.listNamespaces": {
    prefix: listed(
      (root) => ({ prefix: [root, "a"] }),
      (root) => [[root, "a", "x"]],
    ),
    suffix: listed(
      () => ({ suffix: ["b"] }),
      (root) => [[root, "b"]],
    ),
    max_depth: listed(
      () => ({ maxDepth: 2 }),
      (root) => [
        [root, "a"],
        [root, "b"],
      ],
    ),
    limit: listed(
      () => ({ limit: 1 }),
      (root) => [[root, "a", "x"]],
    ),
    offset: listed(
      () => ({ offset: 1 }),
      (root) => [[root, "b"]],
    ),
  },
};
