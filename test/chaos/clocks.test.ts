import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import {
  buildWorker,
  diaryDatabase,
  executions,
  startWorker,
  type WorkerProcess,
  type WorkerProgram,
} from "../support/processes.ts";

let program: WorkerProgram;
beforeAll(async () => (program = await buildWorker()));
afterAll(async () => program[Symbol.asyncDispose]());

const patience = { timeout: 90_000, interval: 50 };

async function create(worker: WorkerProcess, thread_id: string, graph: string): Promise<string> {
  const body = { input: { text: "gate" }, config: { configurable: { thread_id } } };
  const created = await worker.post(`/graphs/${graph}/runs`, body);
  expect(created.status).toBe(202);
  return created.runId;
}

/** A run of an executor that has vanished: that it begins anew shows that somebody's timer has looked around. */
const storeLapsed = `
  with made as (
    insert into langgraph.threads (thread_id, status, created_at, updated_at, state_updated_at, active_runs)
    values ('lapsed', 'busy', now(), now(), now(), 1) returning thread_id)
  insert into langgraph.runs (run_id, thread_id, assistant_id, graph_id, status, kwargs, multitask_strategy, created_at,
    updated_at, due_at, woken_at, claims, attempt, lease_id, lease_until)
  select gen_random_uuid(), thread_id, gen_random_uuid(), 'quick', 'running',
    '{"input": {"text": "a"}, "config": {}, "stream_mode": ["values"]}', 'enqueue', now(), now(), now(), now(), 1, 1,
    gen_random_uuid(), now() - interval '1 second' from made`;

test.each([
  { executor: "-60000", other: "60000" },
  { executor: "60000", other: "-60000" },
])(
  "instances whose clocks are minutes apart neither take each other's runs nor forget them: $executor",
  async ({ executor, other }) => {
    await using database = await diaryDatabase();
    await using first = await startWorker(program, database.url, { CLOCK_OFFSET_MS: executor });
    const thread = randomUUID();
    const running = await create(first, thread, "fan");
    await vi.waitFor(async () => expect(await executions(database.query)).toContain("slow null"), patience);

    await using second = await startWorker(program, database.url, { CLOCK_OFFSET_MS: other });
    const waiting = await create(second, thread, "quick");
    for (let ticks = 0; ticks < 2; ticks += 1) {
      await database.query("delete from langgraph.threads where thread_id = 'lapsed'");
      await database.query(storeLapsed);
      const seen = "select from langgraph.runs where thread_id = 'lapsed' and status = 'success'";
      await vi.waitFor(async () => expect(await database.query(seen)).toHaveLength(1), patience);
    }
    await database.query("insert into gates values ('gate')");
    const ended = "select run_id, status, claims from langgraph.runs where thread_id = $1 order by position";
    await vi.waitFor(
      async () =>
        expect(await database.query(ended, [thread])).toEqual([
          { run_id: running, status: "success", claims: 1 },
          { run_id: waiting, status: "success", claims: 1 },
        ]),
      { timeout: 20_000, interval: 50 }, // before a timer would look for what was forgotten
    );
  },
);
