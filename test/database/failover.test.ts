import { expect, test } from "vitest";
import { testDatabase } from "../support/database.ts";
import { shout } from "../support/graphs.ts";
import { startServer } from "../support/server.ts";

test("connections to a server that has become a standby are given up, and those to the new primary are used at once", async () => {
  await using database = await testDatabase();
  const graphs = [{ name: "shout", graph: shout }];
  await using server = await startServer({ graphs, local: { databaseUrl: database.directUrl } });
  const invoke = async (text: string) => {
    const config = { configurable: { thread_id: text } };
    return (await server.post("/graphs/shout/invoke", { input: { text }, config })).status;
  };
  const { pathname } = new URL(database.directUrl);
  const becomeStandby = async (is: boolean): Promise<void> => {
    await database.query(
      `begin read write; alter database ${pathname.slice(1)} set default_transaction_read_only = ${is}; commit`,
    );
  };
  const texts = ["a", "b", "c", "d"];
  await becomeStandby(true);
  await database.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
  );
  for (const text of texts) expect(await invoke(text)).toBe(503);
  await becomeStandby(false);
  expect(await Promise.all(texts.map(invoke))).toEqual([200, 200, 200, 200]);
});
