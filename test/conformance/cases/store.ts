import { type Case, failure } from "../case.ts";

export const store: readonly Case[] = [
  {
    name: "store: put, read, found and deleted",
    run: async ({ client, id }) => {
      const user = id("user");
      await client.store.putItem(["users", user], "profile", { name: "Ada", age: 36 });
      await client.store.putItem(["users", user], "settings", { theme: "dark", age: 1 });
      await client.store.getItem(["users", user], "profile");
      await client.store.putItem(["users", user], "profile", { name: "Ada", age: 37 });
      await client.store.getItem(["users", user], "profile");
      await client.store.getItem(["users", user], "missing");
      await client.store.searchItems(["users", user], { filter: { theme: "dark" } });
      await client.store.searchItems(["users", user], { filter: { age: { $gt: 10 } } });
      await client.store.searchItems(["users"], { filter: { name: "Nobody" } });
      await client.store.deleteItem(["users", user], "profile");
      await client.store.getItem(["users", user], "profile");
      return client.store.searchItems(["users", user], { limit: 1 });
    },
  },
  {
    name: "store: namespaces",
    run: async ({ client, id }) => {
      const root = id("root");
      for (const path of [["a"], ["a", "x"], ["b", "x"], ["b", "y", "z"]])
        await client.store.putItem([root, ...path], "key", { path });
      return [
        await client.store.listNamespaces({ prefix: [root] }),
        await client.store.listNamespaces({ prefix: [root, "b"] }),
        await client.store.listNamespaces({ prefix: [root], suffix: ["x"] }),
        await client.store.listNamespaces({ prefix: [root], maxDepth: 2 }),
        await client.store.listNamespaces({ prefix: [root], limit: 1, offset: 1 }),
      ];
    },
  },
  {
    name: "store: labels that cannot be",
    run: async ({ client, send }) => {
      await send("PUT", "/store/items", { namespace: ["a.b"], key: "k", value: {} });
      await send("PUT", "/store/items", { namespace: [""], key: "k", value: {} });
      await send("PUT", "/store/items", { namespace: [], key: "k", value: {} });
      await send("PUT", "/store/items", { namespace: ["a"], key: "k", value: "text" });
      return failure(client.store.putItem(["a.b"], "k", {}));
    },
  },
];
