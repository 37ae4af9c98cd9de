import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { testDatabase } from "../support/database.ts";
import { documentedSql } from "../support/roles.ts";
import { clientOf } from "../support/sdk.ts";
import { startServer } from "../support/server.ts";

const index = {
  dims: 2,
  embed: async (texts: string[]) => texts.map(({ length }) => [1, length]),
  fields: ["text"],
};

test("who may not make tables finds by meaning with the table of the documentation, and is told without it", async () => {
  await using database = await testDatabase();
  await database.query(
    "drop extension if exists vector cascade; drop table if exists langgraph.store_vectors_2",
  );
  const url = new URL(database.directUrl);
  const app = `app_${randomUUID().slice(0, 8)}`;
  const names = { migrate: "postgres", app, database: url.pathname.slice(1) };
  const { grants, vectors } = await documentedSql(names);
  await database.query(`create role ${app} login password 'secret'; ${grants} create extension vector`);
  Object.assign(url, { username: app, password: "secret" });
  {
    await using server = await startServer({
      graphs: [],
      store: { index },
      local: { databaseUrl: url.href },
    });
    const store = clientOf(server).store;
    const put = async () => store.putItem(["food"], "soup", { text: "warm soup" });
    await expect(put()).rejects.toThrow("its table is missing, and the database's user may not make it");
    await database.query(vectors.replaceAll("1536", "2"));
    await put();
    const { items } = await store.searchItems(["food"], { query: "warm" });
    expect(items.map(({ key }) => key)).toEqual(["soup"]);
  }
  await database.query(`drop owned by ${app}; drop role ${app}`);
});
