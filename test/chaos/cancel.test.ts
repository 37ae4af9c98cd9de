import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { EVERYTHING } from "../../src/core/auth.ts";
import type { ClaimedRun, NewRun } from "../../src/core/ports.ts";
import { claimStore } from "../../src/postgres/claims.ts";
import { openDatabase } from "../../src/postgres/pool.ts";
import { runStore } from "../../src/postgres/runs.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";

const ROUNDS = process.env["CHAOS"] === "long" ? 2_000 : 150;

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

/** An instance with a connection of its own. */
function instance({ url }: TestDatabase) {
  const database = openDatabase({ url, poolSize: 1, migrate: false });
  const runs = runStore(database);
  const claims = claimStore(database);
  const claim = async ({ run_id }: { readonly run_id: string }): Promise<ClaimedRun | null> => {
    const now = new Date();
    const term = { now, until: new Date(now.getTime() + 30_000) };
    return claims.claim({ run_id, lease_id: randomUUID() }, term);
  };
  return {
    admit: async (thread_id: string): Promise<NewRun> => {
      const run = makeRun(thread_id);
      await runs.admit(run, run.due_at);
      return run;
    },
    claim,
    start: async (run: NewRun): Promise<ClaimedRun> => {
      const claimed = await claim(run);
      if (claimed === null) throw new Error("The run was not to be had");
      return claimed;
    },
    cancel: async ({ run_id }: { readonly run_id: string }) => {
      const wakeUps = await runs.cancel({ scope: EVERYTHING, runIds: [run_id] }, "interrupt", new Date());
      return wakeUps.flatMap((wakeUp) => ("run_id" in wakeUp ? [wakeUp.run_id] : []));
    },
    release: async (run: ClaimedRun) => claims.release(run, new Date(), { events: [], gotAnywhere: true }),
    finish: async (run: ClaimedRun) =>
      claims.finish(run, { status: "success", thread_status: "idle" }, new Date(), []),
    [Symbol.asyncDispose]: async () => database[Symbol.asyncDispose](),
  };
}

const told = `select run_id from langgraph.runs where not (status = 'interrupted' or cancel_action = 'interrupt')`;

test("a cancel that meets a claim has its effect: the run never begins, or its executor is told", async () => {
  await using database = await testDatabase();
  await using one = instance(database);
  await using other = instance(database);
  let claimed = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const run = await one.admit(`t${round}`);
    const [claim] = await Promise.all([one.claim(run), other.cancel(run)]);
    if (claim !== null) claimed += 1;
  }
  expect(await database.query(told)).toEqual([]);
  const running = "select from langgraph.runs where status = 'running' and cancel_action = 'interrupt'";
  expect(await database.query(running)).toHaveLength(claimed);
});

test("a cancel that meets a handover has its effect: the next executor is told as it claims the run", async () => {
  await using database = await testDatabase();
  await using one = instance(database);
  await using other = instance(database);
  for (let round = 0; round < ROUNDS; round += 1) {
    const run = await one.admit(`t${round}`);
    const claimed = await one.start(run);
    await Promise.all([one.release(claimed), other.cancel(run)]);
    expect(await one.claim(run)).toMatchObject({ cancel_action: "interrupt" });
  }
});

test("a run that is cancelled between two executors is woken, to be ended by the next", async () => {
  await using database = await testDatabase();
  await using one = instance(database);
  const run = await one.admit("t");
  await one.release(await one.start(run));
  expect(await one.cancel(run)).toEqual([run.run_id]);
});

test("whoever leaves a thread's queue wakes the next: the end of one, the cancel of another, or both at once", async () => {
  await using database = await testDatabase();
  await using one = instance(database);
  await using other = instance(database);
  for (let round = 0; round < ROUNDS; round += 1) {
    const thread = `t${round}`;
    const [first, second, third] = [
      await one.admit(thread),
      await one.admit(thread),
      await one.admit(thread),
    ];
    const running = await one.start(first);
    const [{ next }, woken] = await Promise.all([one.finish(running), other.cancel(second)]);
    // The one that came later has seen what the other did; what the earlier one wakes may be in vain.
    expect([next, ...woken]).toContain(third.run_id);
  }
});

test("the cancel of the first of those that wait wakes the second", async () => {
  await using database = await testDatabase();
  await using one = instance(database);
  const [first, second] = [await one.admit("t"), await one.admit("t")];
  expect(await one.cancel(first)).toEqual([second.run_id]);
});
