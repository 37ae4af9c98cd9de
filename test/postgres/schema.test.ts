import { readFile, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { testDatabase } from "../support/database.ts";
import { dumpSchema } from "./catalog.ts";

const FILE = new URL("schema.sql", import.meta.url);
const HEAD =
  "-- What all migrations together make. Update it: UPDATE_SCHEMA=1 npx vitest run test/postgres\n\n";

test("the migrations make the schema that is written down in schema.sql", async () => {
  await using database = await testDatabase();
  const schema = `${HEAD}${await dumpSchema(database)}\n`;
  if (process.env["UPDATE_SCHEMA"] !== undefined) await writeFile(FILE, schema);
  const hint = "The schema has changed. If you meant it to: UPDATE_SCHEMA=1 npx vitest run test/postgres";
  expect(schema, hint).toBe(await readFile(FILE, "utf8"));
});

test("what is written down makes the same schema", async () => {
  await using database = await testDatabase({ migrated: false });
  const written = await readFile(FILE, "utf8");
  await database.query(`create schema langgraph; ${written}`);
  expect(`${HEAD}${await dumpSchema(database)}\n`).toBe(written);
});
