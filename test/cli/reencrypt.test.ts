import { randomBytes } from "node:crypto";
import { afterAll, expect, test } from "vitest";
import { openDatabase } from "../../src/postgres/pool.ts";
import { itemStore } from "../../src/postgres/store.ts";
import { testDatabase } from "../support/database.ts";
import { testFolder } from "../support/program.ts";
import { cli } from "./cli.ts";

const folder = await testFolder();
afterAll(async () => folder[Symbol.asyncDispose]());

const key = (id: string): string => `${id}:${randomBytes(32).toString("base64")}`;

test("a dry run counts what is left; then everything is put under the first key, once", async () => {
  await using database = await testDatabase();
  await using opened = openDatabase({ url: database.url, poolSize: 1, migrate: false });
  const now = new Date();
  const vectors: never[] = [];
  const writes = Array.from({ length: 120 }, (_, item) => ({
    namespace: ["a"],
    key: `${item}`,
    value: { item },
    ttl_minutes: null,
    expires_at: null,
    vectors,
  }));
  await itemStore(opened).write(writes, now);
  const env = { DATABASE_URL: database.url, ENCRYPTION_KEYS: key("new") };
  const dry = await cli({ folder, args: ["reencrypt", "--dry-run"], env });
  expect(dry).toEqual({ code: 0, output: "  langgraph.store_items: 120 rows left\n" });
  const done = await cli({ folder, args: ["reencrypt"], env });
  const name = new URL(database.url);
  const end = `Everything in the database ${name.host}${name.pathname} is encrypted under the key "new".\n`;
  expect(done).toEqual({ code: 0, output: `  langgraph.store_items: 120 rows encrypted\n${end}` });
  expect(await cli({ folder, args: ["reencrypt"], env })).toEqual({ code: 0, output: end });

  const other = { ...env, ENCRYPTION_KEYS: key("other") };
  const refused = await cli({ folder, args: ["reencrypt"], env: other });
  expect(refused).toMatchObject({
    code: 1,
    output: expect.stringContaining('encrypted under the key "new"'),
  });
});

test("without a key there is nothing to do", async () => {
  const env = { DATABASE_URL: "postgres://127.0.0.1:1/none" };
  expect(await cli({ folder, args: ["reencrypt"], env })).toMatchObject({
    code: 1,
    output: expect.stringContaining("ENCRYPTION_KEYS is not set"),
  });
});
