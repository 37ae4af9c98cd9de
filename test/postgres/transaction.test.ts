import sql from "sql-template-tag";
import { expect, test } from "vitest";
import { openDatabase } from "../../src/postgres/pool.ts";
import { rows } from "../../src/postgres/sql.ts";
import { transaction } from "../../src/postgres/transaction.ts";
import { testDatabase } from "../support/database.ts";

test("what a transaction that has failed had still to do is not done after it, by itself or in the next one", async () => {
  await using database = await testDatabase();
  await database.query("create table public.notes (text text); grant all on public.notes to public");
  await using opened = openDatabase({ url: database.url, poolSize: 1, migrate: false });
  let late: Promise<readonly PromiseSettledResult<unknown>[]> | undefined;
  const failed = transaction(opened, async (tx) => {
    const write = async (text: string) => rows(tx, sql`insert into public.notes values (${text})`);
    const past = async () => tx.pool.query("insert into public.notes values ('three')");
    late = Promise.allSettled([write("one"), write("two"), past()]);
    throw new Error("The work has failed");
  });
  await expect(failed).rejects.toThrow("The work has failed");
  await transaction(opened, async (tx) => rows(tx, sql`insert into public.notes values ('after')`));
  expect((await late)?.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected"]);
  expect(await database.query("select text from public.notes")).toEqual([{ text: "after" }]);
});

test("what a transaction is asked when it is over is refused", async () => {
  await using database = await testDatabase();
  await database.query("create table public.notes (text text); grant all on public.notes to public");
  await using opened = openDatabase({ url: database.url, poolSize: 1, migrate: false });
  const tx = await transaction(opened, async (inside) => inside);
  await expect(rows(tx, sql`insert into public.notes values ('late')`)).rejects.toThrow("is over");
  expect(await database.query("select text from public.notes")).toEqual([]);
});
