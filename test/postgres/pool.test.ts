import sql from "sql-template-tag";
import { expect, test } from "vitest";
import { openDatabase } from "../../src/postgres/pool.ts";
import { testDatabase } from "../support/database.ts";
import { proxyTo } from "../support/proxy.ts";

test("after a freeze, connections that have died unnoticed are replaced before they are used", async () => {
  await using test = await testDatabase();
  await using proxy = await proxyTo(test.url);
  let now = new Date();
  const settings = { url: proxy.url, poolSize: 2, migrate: false };
  await using database = openDatabase(settings, { now: () => now });
  const ask = async () => database.query(sql`select pg_backend_pid() as pid, pg_sleep(0.1)`);
  const before = await Promise.all([ask(), ask()]);
  expect(new Set(before.flatMap(({ rows }) => rows.map(({ pid }) => String(pid)))).size).toBe(2);

  proxy.forget();
  now = new Date(now.getTime() + 20_000);
  const after = await Promise.all([ask(), ask()]);
  expect(after.map(({ rows }) => rows.length)).toEqual([1, 1]);
});

test("a connection that is in use is not tried again and again", async () => {
  await using test = await testDatabase();
  let now = new Date();
  const settings = { url: test.url, poolSize: 1, migrate: false };
  await using database = openDatabase(settings, { now: () => now });
  const statements: string[] = [];
  database.pool.on("acquire", () => statements.push("one"));
  for (let second = 0; second < 3; second += 1) {
    now = new Date(now.getTime() + 5_000);
    await database.query(sql`select 1`);
  }
  expect(statements).toHaveLength(3);
});
