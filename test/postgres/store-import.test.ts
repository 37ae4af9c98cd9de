import { readFile } from "node:fs/promises";
import { PostgresStore } from "@langchain/langgraph-checkpoint-postgres/store";
import { expect, test } from "vitest";
import { clientOf } from "../support/sdk.ts";
import { startServer } from "../support/server.ts";

test("what the documentation says takes over the items of LangGraph's own Postgres store", async () => {
  await using server = await startServer({ graphs: [] });
  const stock = PostgresStore.fromConnString(server.database.directUrl);
  await stock.setup();
  await stock.put(["users", "ada"], "likes", { fruit: "pear" });
  await stock.put(["users"], "count", { n: 1 });
  await stock.stop();
  const documentation = await readFile(new URL("../../docs/store.md", import.meta.url), "utf8");
  const [, statement = ""] = /```sql\n([^`]+)```/.exec(documentation) ?? [];
  await server.database.query(statement);
  const { store } = clientOf(server);
  expect((await store.getItem(["users", "ada"], "likes"))?.value).toEqual({ fruit: "pear" });
  expect((await store.searchItems(["users"], { filter: { n: 1 } })).items).toHaveLength(1);
  await store.putItem(["users"], "count", { n: 2 });
  expect((await store.getItem(["users"], "count"))?.value).toEqual({ n: 2 });
});
