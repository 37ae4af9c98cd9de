import { expect, test, vi } from "vitest";
import { LEASE_MS } from "../../src/core/runs.ts";
import { claimStore } from "../../src/postgres/claims.ts";
import { openDatabase } from "../../src/postgres/pool.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { buildWorker, diaryDatabase, overlaps, startWorkers, unsettled } from "../support/processes.ts";

const RUNS = 60;

/** Runs of vanished executors, each on its thread, and half of them for the last time. */
async function storeLapsed({ query }: TestDatabase): Promise<void> {
  await query(
    `with made as (
       insert into langgraph.threads (thread_id, status, created_at, updated_at, state_updated_at, active_runs)
       select 't' || n, 'busy', now(), now(), now(), 1 from generate_series(1, $1::int) n returning thread_id)
     insert into langgraph.runs (run_id, thread_id, assistant_id, graph_id, status, kwargs, multitask_strategy, created_at,
       updated_at, due_at, woken_at, started_at, claims, attempt, lease_id, lease_until)
     select gen_random_uuid(), 't' || n, gen_random_uuid(), 'quick', 'running',
       '{"input": {"text": "a"}, "config": {}, "stream_mode": ["values"]}', 'enqueue', now(), now(), now(), now(), now(),
       n % 2 * 2 + 1, n % 2 * 2 + 1, gen_random_uuid(), now() - interval '1 second'
     from generate_series(1, $1::int) n`,
    [RUNS],
  );
}

test("of several processes whose timers find the same lapsed runs, one recovers each", async () => {
  await using program = await buildWorker();
  await using database = await diaryDatabase();
  await using workers = await startWorkers(program, database.url, 3);
  await storeLapsed(database);
  await vi.waitFor(async () => expect(await unsettled(database.query)).toEqual([]), {
    timeout: 90_000,
    interval: 50,
  });
  expect(workers).toHaveLength(3);
  expect(
    await database.query(
      "select status, claims, count(*)::int from langgraph.runs group by 1, 2 order by claims",
    ),
  ).toEqual([
    { status: "success", claims: 2, count: RUNS / 2 },
    { status: "error", claims: 3, count: RUNS / 2 },
  ]);
  expect(
    await database.query("select count(*)::int, count(distinct run_id)::int as runs from executions"),
  ).toEqual([{ count: RUNS / 2, runs: RUNS / 2 }]);
  expect(await overlaps(database.query)).toEqual([]);
  expect(await database.query("select count(*)::int from langgraph.events where event = 'error'")).toEqual([
    { count: RUNS / 2 },
  ]);
});

test("of ticks at the same instant, each lapsed run goes to one", async () => {
  await using database = await testDatabase();
  await storeLapsed(database);
  const now = new Date();
  const tick = async () => {
    await using opened = openDatabase({ url: database.url, poolSize: 1, migrate: false });
    return await claimStore(opened).recover(
      crypto.randomUUID(),
      { now, until: new Date(now.getTime() + LEASE_MS) },
      { maxAttempts: 3, forgottenSince: new Date(now.getTime() - 30_000) },
    );
  };
  const found = await Promise.all(Array.from({ length: 6 }, tick));
  const waiting = found.flatMap((one) => one.waiting);
  const exhausted = found.flatMap((one) => one.exhausted.map(({ run_id }) => run_id));
  expect([waiting.length, exhausted.length]).toEqual([RUNS / 2, RUNS / 2]);
  expect(new Set([...waiting, ...exhausted]).size).toBe(RUNS);
  expect(found.flatMap(({ forgotten }) => forgotten)).toEqual([]);
});
