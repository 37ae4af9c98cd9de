import sql from "sql-template-tag";
import { expect, inject, test } from "vitest";
import { openDatabase } from "../../src/postgres/pool.ts";
import { transaction } from "../../src/postgres/transaction.ts";
import { testDatabase } from "../support/database.ts";
import { shout } from "../support/graphs.ts";
import { startServer } from "../support/server.ts";

/** As in test/support/pgbouncer.ts. */
const SERVER_CONNECTIONS = 4;

const open = (url: string, poolSize: number, timeoutMs = 15_000) =>
  openDatabase({ url, poolSize, migrate: false, timeoutMs });

test("these tests reach Postgres through the pooler, statement by statement, with no right to change the schema", async () => {
  await using test = await testDatabase();
  expect(test.url).toContain(inject("poolerUrl"));
  await using database = open(test.url, 1);
  await using other = open(test.url, 1);
  const pids = new Set<unknown>();
  for (let round = 0; round < 20; round += 1) {
    const [held] = (await other.query(sql`select pg_backend_pid() as pid`)).rows;
    const busy = Promise.all([other.query(sql`select pg_sleep(0.02)`), database.query(sql`select 1`)]);
    const [own] = (await database.query(sql`select pg_backend_pid() as pid`)).rows;
    await busy;
    pids.add(held?.["pid"]).add(own?.["pid"]);
  }
  expect(pids.size).toBeGreaterThan(1); // although each of them has one connection
  await expect(database.query(sql`create table langgraph.other (id integer)`)).rejects.toThrow(
    "permission denied",
  );
  await expect(database.query(sql`delete from langgraph.migrations`)).rejects.toThrow("permission denied");
});

test("many servers with many runs share the pooler's few connections", async () => {
  await using database = await testDatabase();
  const graphs = [{ name: "shout", graph: shout }];
  const local = { databaseUrl: database.url };
  await using first = await startServer({ graphs, local });
  await using second = await startServer({ graphs, local });
  await using third = await startServer({ graphs, local });
  const servers = [first, second, third];
  const texts = Array.from({ length: 10 }, (_, index) => `t${index}`);
  const answers = await Promise.all(
    servers.flatMap((server, index) =>
      texts.map(async (text) => {
        const config = { configurable: { thread_id: `${index}-${text}` } };
        return (await server.post("/graphs/shout/invoke", { input: { text }, config })).status;
      }),
    ),
  );
  expect(new Set(answers)).toEqual(new Set([200]));
  const [counted] = await database.query(
    "select count(*)::integer as count from pg_stat_activity where datname = current_database() and usename = 'langgraph_app'",
  );
  expect(counted?.["count"]).toBeLessThanOrEqual(SERVER_CONNECTIONS);
});

test("a statement that was given up is nobody else's answer, and holds up nobody", async () => {
  await using test = await testDatabase();
  await using impatient = open(test.url, 2, 1_000);
  await using patient = open(test.url, 8);
  const slow = Array.from({ length: 2 * SERVER_CONNECTIONS }, async () =>
    impatient.query(sql`select 'late' as word, pg_sleep(4)`),
  );
  const numbers = Array.from({ length: 200 }, (_, index) => index);
  const ask = async (number: number) => (await patient.query(sql`select ${number}::integer as number`)).rows;
  const answers = Promise.all(numbers.map(ask));
  for (const outcome of await Promise.allSettled(slow)) expect(outcome.status).toBe("rejected");
  expect(await answers).toEqual(numbers.map((number) => [{ number }]));
  expect((await impatient.query(sql`select 'next' as word`)).rows).toEqual([{ word: "next" }]);
});

test("a transaction that was broken off leaves nothing behind on the connection", async () => {
  await using test = await testDatabase();
  await using database = open(test.url, 4, 1_000);
  await expect(
    transaction(database, async (tx) => {
      await tx.query(sql`insert into langgraph.rate_limits (key, points) values ('left behind', 1)`);
      await tx.query(sql`select pg_sleep(4)`);
    }),
  ).rejects.toThrow("The database cannot be reached");
  await using other = open(test.url, SERVER_CONNECTIONS);
  const look = async () =>
    (
      await other.query(
        sql`select current_setting('idle_in_transaction_session_timeout') as setting, pg_sleep(0.05), now() = statement_timestamp() as alone,
          (select count(*)::integer from langgraph.rate_limits) as rows`,
      )
    ).rows.map(({ setting, alone, rows }) => ({ setting, alone, rows }));
  const seen = await Promise.all(Array.from({ length: 3 * SERVER_CONNECTIONS }, look));
  expect(seen.flat()).toEqual(seen.map(() => ({ setting: "0", alone: true, rows: 0 })));
});
