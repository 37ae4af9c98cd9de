import { expect, test } from "vitest";
import { testDatabase } from "../support/database.ts";
import { startProgram, testFolder } from "../support/program.ts";
import { clientOf } from "../support/sdk.ts";

test("processes on one database share the store", async () => {
  await using database = await testDatabase();
  await using folder = await testFolder();
  const env = { DATABASE_URL: database.url };
  await using first = await startProgram({ folder, env });
  await using second = await startProgram({ folder, env });
  await clientOf(first).store.putItem(["users", "ada"], "likes", { fruit: "pear" });
  const { items } = await clientOf(second).store.searchItems(["users"]);
  expect(items).toMatchObject([{ key: "likes", value: { fruit: "pear" } }]);
  await clientOf(second).store.deleteItem(["users", "ada"], "likes");
  expect(await clientOf(first).store.getItem(["users", "ada"], "likes")).toBeNull();
});
