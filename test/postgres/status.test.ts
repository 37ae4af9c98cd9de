import sql from "sql-template-tag";
import { expect, test } from "vitest";
import { agenda } from "../../src/postgres/agenda.ts";
import { openDatabase } from "../../src/postgres/pool.ts";
import { queueState } from "../../src/postgres/status.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";

/** As many threads, each with a run of this status; every tenth has a second one. */
async function fill({ query }: TestDatabase, prefix: string, status: string, count: number): Promise<void> {
  const made = [prefix, status, count];
  await query(
    `insert into langgraph.threads (thread_id, status, created_at, updated_at, state_updated_at, active_runs)
     select $1::text || n, $2::text, now(), now(), now(), 1 from generate_series(1, $3::int) n`,
    [prefix, "idle", count],
  );
  await query(
    `insert into langgraph.runs (run_id, thread_id, assistant_id, graph_id, status, kwargs, multitask_strategy, created_at,
       updated_at, due_at, woken_at, lease_id, lease_until)
     select gen_random_uuid(), $1::text || case when n % 10 = 0 then n - 1 else n end, gen_random_uuid(), 'shout', $2::text,
       '{}', 'enqueue', now(), now() - interval '1 hour', now() - interval '1 hour', now(),
       case when $2::text = 'running' then gen_random_uuid() end, case when $2::text = 'running' then now() end
     from generate_series(1, $3::int) n`,
    made,
  );
}

/** The names of the indexes that a plan uses, and the tables that it reads as a whole. */
function accesses(plan: unknown): readonly string[] {
  if (Array.isArray(plan)) return plan.flatMap(accesses);
  if (typeof plan !== "object" || plan === null) return [];
  const own = "Node Type" in plan && plan["Node Type"] === "Seq Scan" && "Relation Name" in plan;
  const index = "Index Name" in plan ? [String(plan["Index Name"])] : [];
  return [
    ...(own ? [`all of ${String(plan["Relation Name"])}`] : index),
    ...Object.values(plan).flatMap(accesses),
  ];
}

test("what waits is counted through the indexes of active runs, however many runs have ended", async () => {
  await using test = await testDatabase();
  await using database = openDatabase({ url: test.url, poolSize: 1, migrate: false });
  await fill(test, "ended-", "success", 20_000);
  await fill(test, "waiting-", "pending", 40);
  await test.query("analyze langgraph.runs");
  const { rows } = await database.query(sql`explain (format json) ${queueState}`);
  const used = new Set(accesses(rows));
  expect([...used].filter((name) => name.startsWith("all of"))).toEqual([]);
  expect(used).toContain("runs_waiting");

  const { rows: state } = await database.query(queueState);
  expect(state).toMatchObject([{ waiting: 36, running: 0 }]); // four are behind the ones before them
});

test("a conversation in which a great many runs wait costs no more than as many conversations", async () => {
  await using test = await testDatabase();
  await using database = openDatabase({ url: test.url, poolSize: 1, migrate: false });
  await fill(test, "one-", "pending", 20_000);
  await test.query("update langgraph.runs set thread_id = 'one-1'");
  await test.query("analyze langgraph.runs");
  // Had each been compared with all others, the statement would take longer than the 15 s that it has.
  const { rows } = await database.query(queueState);
  expect(rows).toMatchObject([{ waiting: 1, running: 0 }]);
  const looked = await agenda(database).read(new Date(), {
    forgottenSince: new Date(),
    eventsSince: new Date(0),
    failuresSince: new Date(0),
    keysSince: new Date(0),
  });
  expect(looked).toMatchObject({ waiting: 1, runs: true });
});

test("no more than 10,000 waiting runs are counted", async () => {
  await using test = await testDatabase();
  await using database = openDatabase({ url: test.url, poolSize: 1, migrate: false });
  await fill(test, "waiting-", "pending", 12_000);
  await test.query("analyze langgraph.runs");
  const { rows } = await database.query(queueState);
  expect(rows).toMatchObject([{ waiting: 10_000, oldestWaitingSince: expect.any(Date) }]);
});
