import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { TestDatabase } from "../support/database.ts";
import {
  buildWorker,
  diaryDatabase,
  forget,
  lapse,
  startWorkers,
  unsettled,
  type WorkerProcess,
  type WorkerProgram,
} from "../support/processes.ts";

const CRONS = 100;

let program: WorkerProgram;
beforeAll(async () => (program = await buildWorker()));
afterAll(async () => program[Symbol.asyncDispose]());

async function createCrons(worker: WorkerProcess, { query }: TestDatabase): Promise<void> {
  const body = {
    assistant_id: "quick",
    input: { text: "a" },
    schedule: "0 0 1 1 *",
    on_run_completed: "keep",
  };
  const created = await Promise.all(Array.from({ length: CRONS }, () => worker.post("/runs/crons", body)));
  expect(new Set(created.map(({ status }) => status))).toEqual(new Set([200]));
  expect(await query("select count(*)::int from langgraph.crons")).toEqual([{ count: CRONS }]);
}

/** Until all times have been dealt with, and all that came of them. */
async function untilSettled({ query }: TestDatabase): Promise<void> {
  const due = "select cron_id from langgraph.crons where next_run_date < now() + interval '1 minute'";
  await vi.waitFor(async () => expect([await query(due), await unsettled(query)]).toEqual([[], []]), {
    timeout: 90_000,
    interval: 50,
  });
}

const RUNS = `select count(*)::int as runs, count(distinct metadata ->> 'cron_id')::int as crons
  from langgraph.runs where status = 'success'`;

test("of two processes that tick at the same second, one fires each of a hundred crons", async () => {
  await using database = await diaryDatabase();
  await using workers = await startWorkers(program, database.url, 2);
  const [worker] = workers;
  if (worker === undefined) throw new Error("There is no worker");
  await createCrons(worker, database);
  await database.query(
    "update langgraph.crons set next_run_date = date_trunc('second', now()) + interval '2 seconds'",
  );
  await untilSettled(database);
  expect(await database.query(RUNS)).toEqual([{ runs: CRONS, crons: CRONS }]);
  expect(await database.query("select count(*)::int from executions")).toEqual([{ count: CRONS }]);
});

test("crons that were firing in a process that was killed make one run each", async () => {
  await using database = await diaryDatabase();
  await using workers = await startWorkers(program, database.url, 2);
  const [first, second] = workers;
  if (first === undefined || second === undefined) throw new Error("There are no two workers");
  process.kill(second.pid, "SIGSTOP"); // it comes in when the other one is gone
  await createCrons(first, database);
  await database.query("update langgraph.crons set next_run_date = now()");
  const moved = "select count(*)::int as moved from langgraph.crons where next_run_date > now()";
  await vi.waitFor(async () => expect((await database.query(moved))[0]?.["moved"]).toBeGreaterThan(0), {
    timeout: 90_000,
    interval: 1,
  });
  await first.kill();
  await lapse(database.query);
  await forget(database.query);
  process.kill(second.pid, "SIGCONT");
  await untilSettled(database);
  expect(await database.query(RUNS)).toEqual([{ runs: CRONS, crons: CRONS }]);
});
