import { expect, test } from "vitest";
import { randomUUID } from "node:crypto";
import { EVERYTHING } from "../../src/core/auth.ts";
import type { ClaimedRun, NewRun } from "../../src/core/ports.ts";
import { claimStore } from "../../src/postgres/claims.ts";
import { openDatabase } from "../../src/postgres/pool.ts";
import { runStore } from "../../src/postgres/runs.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";

function makeRun(thread_id: string): NewRun {
  return {
    run_id: randomUUID(),
    thread_id,
    assistant_id: randomUUID(),
    graph_id: "graph",
    metadata: {},
    kwargs: { input: {}, config: {}, stream_mode: ["values"] },
    multitask_strategy: "enqueue",
    created_at: new Date(),
    due_at: new Date(),
    is_temporary: false,
    creates_thread: true,
    owner: null,
    scope: EVERYTHING,
  };
}

function open({ url }: TestDatabase) {
  const database = openDatabase({ url, poolSize: 8, migrate: false });
  const runs = runStore(database);
  const claims = claimStore(database);
  const term = () => ({ now: new Date(), until: new Date(Date.now() + 30_000) });
  const start = async (thread: string): Promise<ClaimedRun> => {
    const run = makeRun(thread);
    await runs.admit(run, run.due_at);
    const claimed = await claims.claim({ run_id: run.run_id, lease_id: randomUUID() }, term());
    if (claimed === null) throw new Error("The run was not to be had");
    return claimed;
  };
  return { runs, claims, term, start, [Symbol.asyncDispose]: async () => database[Symbol.asyncDispose]() };
}

const event = (seq: number) => ({ seq, event: "values", data: `${seq}` });
const success = { status: "success", thread_status: "idle" } as const;

test("a run's numbers follow those that the thread's former run logged in its heartbeats", async () => {
  await using database = await testDatabase();
  await using store = open(database);
  for (const leave of ["finish", "rollback", "release", "lapse"] as const) {
    const former = await store.start(leave);
    await store.claims.beat(former, store.term(), [event(1), event(2)]);
    if (leave === "finish") await store.claims.finish(former, success, new Date(), []);
    if (leave === "rollback") await store.claims.rollback(former, new Date(), []);
    if (leave === "release")
      await store.claims.release(former, new Date(), { events: [], gotAnywhere: true });
    if (leave === "lapse") {
      await database.query(
        "update langgraph.runs set lease_until = now() - interval '1 second' where run_id = $1",
        [former.run_id],
      );
      await store.claims.recover(randomUUID(), store.term(), { maxAttempts: 3, forgottenSince: new Date(0) });
    }
    if (leave === "release" || leave === "lapse") {
      const again = await store.claims.claim({ run_id: former.run_id, lease_id: randomUUID() }, store.term());
      if (again === null) throw new Error("nobody else holds the run");
      await store.claims.finish(again, success, new Date(), []);
    }
    const run = makeRun(leave);
    const { claim: claimed } = await store.runs.admit(run, run.due_at, {
      lease_id: randomUUID(),
      until: store.term().until,
    });
    expect([leave, claimed?.last_seq]).toEqual([leave, 2]);
  }
});

test("of finish, recovery, handover and cancel that meet, the thread's count keeps its truth", async () => {
  await using database = await testDatabase();
  await using store = open(database);
  const threads = Array.from({ length: 30 }, (_, index) => `t${index}`);
  await Promise.all(
    threads.map(async (thread) => {
      const run = await store.start(thread);
      const lease = run.lease_id;
      const behind = makeRun(thread);
      await Promise.allSettled([
        store.runs.admit(behind, behind.due_at),
        store.claims.finish(run, success, new Date(), [event(1)]),
        store.claims.finish({ ...run, lease_id: randomUUID() }, success, new Date(), [event(1_000)]),
        store.claims.release(run, new Date(), { events: [event(1)], gotAnywhere: true }),
        store.claims.beat({ ...run, lease_id: lease }, store.term(), [event(1)]),
        store.runs.cancel({ scope: EVERYTHING, runIds: [behind.run_id] }, "interrupt", new Date()),
        store.claims.claim({ run_id: behind.run_id, lease_id: randomUUID() }, store.term()),
      ]);
    }),
  );
  expect(
    await database.query(`
      select t.thread_id, t.active_runs, count(r.run_id) filter (where r.status in ('pending', 'running'))::int as counted
      from langgraph.threads t join langgraph.runs r using (thread_id)
      group by 1, 2 having t.active_runs <> count(r.run_id) filter (where r.status in ('pending', 'running'))`),
  ).toEqual([]);
  expect(await database.query("select seq from langgraph.events where seq >= 1000")).toEqual([]);
});

test("whichever of many zombies writes, only the holder of the lease is heard", async () => {
  await using database = await testDatabase();
  await using store = open(database);
  const holder = await store.start("t");
  const zombies = Array.from({ length: 10 }, () => ({ ...holder, lease_id: randomUUID() }));
  const answers = await Promise.all([
    ...zombies.map(async (zombie) => store.claims.finish(zombie, success, new Date(), [event(10)])),
    ...zombies.map(async (zombie) => store.claims.beat(zombie, store.term(), [event(20)])),
    ...zombies.map(async (zombie) => store.claims.rollback(zombie, new Date(), [event(30)])),
    ...zombies.map(async (zombie) =>
      store.claims.release(zombie, new Date(), { events: [event(40)], gotAnywhere: true }),
    ),
    store.claims.beat(holder, store.term(), [event(1)]),
  ]);
  expect(answers.filter(({ held }) => held)).toHaveLength(1);
  expect(await database.query("select seq::int from langgraph.events")).toEqual([{ seq: 1 }]);
  expect(await database.query("select status, lease_id from langgraph.runs")).toEqual([
    { status: "running", lease_id: holder.lease_id },
  ]);
});
