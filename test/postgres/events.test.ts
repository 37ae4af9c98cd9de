import { randomUUID } from "node:crypto";
import { expect, test, vi } from "vitest";
import { eventLog } from "../../src/postgres/events.ts";
import { openDatabase } from "../../src/postgres/pool.ts";
import { testDatabase } from "../support/database.ts";

test("runs that are followed at the same moment are read in one statement, each from where its reader is", async () => {
  await using test = await testDatabase();
  await using database = openDatabase({ url: test.url, poolSize: 2, migrate: false });
  const threads = ["a", "b", "c"];
  const runs = threads.map((thread_id) => ({ thread_id, run_id: randomUUID() }));
  for (const [index, { thread_id, run_id }] of runs.entries()) {
    await test.query(`
      insert into langgraph.threads (thread_id, status, created_at, updated_at, state_updated_at)
      values ('${thread_id}', 'idle', now(), now(), now())`);
    await test.query(`
      insert into langgraph.runs (run_id, thread_id, assistant_id, graph_id, status, kwargs, multitask_strategy,
        created_at, updated_at, due_at, woken_at, lease_id)
      select '${run_id}', '${thread_id}', gen_random_uuid(), 'x', ${index === 0 ? "'success'" : "'running'"}, '{}', 'reject',
        now(), now(), now(), now(), ${index === 0 ? "null" : "gen_random_uuid()"}`);
    await test.query(`
      insert into langgraph.events (thread_id, seq, run_id, event, data, created_at)
      select '${thread_id}', n, '${run_id}', 'values', '"${thread_id}' || n || '"', now() from generate_series(1, 3) n`);
  }
  const asked = vi.spyOn(database, "query");
  const log = eventLog(database);
  const gone = { thread_id: "gone", run_id: randomUUID() };
  const read = await Promise.all([...runs, gone].map(async (run, index) => log.read(run, index)));
  expect(asked).toHaveBeenCalledTimes(1);
  expect(read.map(({ events, ended }) => [events.map(({ data }) => data).join(" "), ended])).toEqual([
    ['"a1" "a2" "a3"', true],
    ['"b2" "b3"', false],
    ['"c3"', false],
    ["", true],
  ]);
});
