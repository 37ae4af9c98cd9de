/** What a database's history costs: the statements of every run on one with many runs, against one with few. */

import { randomUUID } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { Client } from "pg";
import { EVERYTHING, SYSTEM } from "../../src/core/auth.ts";
import type { ClaimedRun, NewRun } from "../../src/core/ports.ts";
import { searchThreads } from "../../src/core/threads.ts";
import { Checkpointer } from "../../src/postgres/checkpoints.ts";
import { claimStore } from "../../src/postgres/claims.ts";
import { eventLog } from "../../src/postgres/events.ts";
import { openDatabase, type Database } from "../../src/postgres/pool.ts";
import { runStore } from "../../src/postgres/runs.ts";
import { threadStore } from "../../src/postgres/threads.ts";
import type { Benchmark } from "./benchmark.ts";
import { createDatabase } from "./contenders.ts";
import { fill, RUNS_OF_A_THREAD, threadId } from "./history-fill.ts";
import { interleave } from "./measure.ts";
import { ratio, type Row } from "./report.ts";

const FEW = 1_000;
const MANY = 1_000_000;
const BELOW = 1.3;

export const history: Benchmark = {
  name: "history",
  description: `the statements of a run with ${MANY} runs in the database against ${FEW}; takes minutes, only if named`,
  isOnRequest: true,
  run: async (deps) => {
    const open = async (runs: number): Promise<Place> => {
      const url = await createDatabase(deps.postgresUrl);
      const database = openDatabase({ url, poolSize: 1, migrate: true });
      await database.ready();
      deps.progress(`history: ${runs} runs`);
      await using client = await connect(url);
      await fill(async (statement) => void (await client.query(statement)), runs);
      return { database, threads: runs / RUNS_OF_A_THREAD };
    };
    const few = await open(FEW);
    await using _few = few.database;
    const many = await open(MANY);
    await using _many = many.database;
    const rows: Row[] = [];
    for (const [what, call] of Object.entries(CALLS)) {
      deps.progress(`history: ${what}`);
      const taken = await interleave(
        { few: async () => call(few), many: async () => call(many) },
        { ...deps, rounds: deps.rounds * 5, warmUp: 50, progress: () => undefined },
      );
      rows.push(
        ratio(
          { what, unit: "ms", ours: taken("many"), who: `${FEW} runs`, theirs: taken("few") },
          { below: BELOW },
        ),
      );
    }
    return rows;
  },
};

interface Place {
  readonly database: Database;
  readonly threads: number;
}

async function connect(url: string): Promise<Client & AsyncDisposable> {
  const client = new Client({ connectionString: url });
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: async () => client.end() });
}

const LEASE_MS = 30_000;

/** Each takes a thread by chance, and tells how long the statement took that it is about. */
const CALLS: Readonly<Record<string, (place: Place) => Promise<number>>> = {
  admit: async (place) => {
    const { ms, result: run } = await timed(async () => admit(place));
    await end(place, await claim(place, run));
    return ms;
  },
  "admit and claim": async (place) => {
    const run = newRun(place);
    const now = new Date();
    const lease = { lease_id: randomUUID(), until: new Date(now.getTime() + LEASE_MS) };
    const { ms, result } = await timed(async () => runStore(place.database).admit(run, now, lease));
    await end(place, result.claim);
    return ms;
  },
  claim: async (place) => {
    const run = await admit(place);
    const { ms, result } = await timed(async () => claim(place, run));
    await end(place, result);
    return ms;
  },
  heartbeat: async (place) => {
    const claimed = await claim(place, await admit(place));
    if (claimed === null) throw new Error("The run was not claimed");
    const now = new Date();
    const term = { now, until: new Date(now.getTime() + LEASE_MS) };
    const event = { seq: claimed.last_seq + 1, event: "values", data: "{}" };
    const { ms } = await timed(async () => claimStore(place.database).beat(claimed, term, [event]));
    await end(place, claimed);
    return ms;
  },
  finish: async (place) => {
    const claimed = await claim(place, await admit(place));
    return (await timed(async () => end(place, claimed))).ms;
  },
  tick: async ({ database }) => {
    const now = new Date();
    const term = { now, until: new Date(now.getTime() + LEASE_MS) };
    const rules = { maxAttempts: 3, forgottenSince: new Date(now.getTime() - LEASE_MS) };
    return (await timed(async () => claimStore(database).recover(randomUUID(), term, rules))).ms;
  },
  "list the runs of a thread": async (place) =>
    (await timed(async () => runStore(place.database).list(any(place), EVERYTHING, { limit: 10, offset: 0 })))
      .ms,
  "list threads": async ({ database }) => {
    const page = {
      limit: 10,
      offset: 0,
      sort_by: "updated_at",
      sort_order: "desc",
      select: ["thread_id", "status", "metadata", "updated_at"],
    } as const;
    return (await timed(async () => searchThreads({ threads: threadStore(database) }, SYSTEM, {}, page))).ms;
  },
  state: async (place) => {
    const saver = new Checkpointer(place.database);
    return (await timed(async () => saver.getTuple({ configurable: { thread_id: any(place) } }))).ms;
  },
  "read events": async (place) => {
    const thread_id = any(place);
    const [run] = await runStore(place.database).list(thread_id, EVERYTHING, { limit: 1, offset: 0 });
    const followed = { thread_id, run_id: run?.run_id ?? randomUUID() };
    return (await timed(async () => eventLog(place.database).read(followed, 0))).ms;
  },
};

async function timed<T>(work: () => Promise<T>): Promise<{ readonly ms: number; readonly result: T }> {
  await turn();
  const start = performance.now();
  const result = await work();
  return { ms: performance.now() - start, result };
}

function any({ threads }: Place): string {
  return threadId(Math.floor(Math.random() * threads));
}

function newRun(place: Place): NewRun {
  return {
    run_id: randomUUID(),
    thread_id: any(place),
    assistant_id: randomUUID(),
    graph_id: "two",
    metadata: {},
    kwargs: { input: { messages: ["Hello"] }, config: {}, stream_mode: ["values"] },
    multitask_strategy: "enqueue",
    created_at: new Date(),
    due_at: new Date(),
    is_temporary: false,
    creates_thread: true,
    owner: null,
    scope: EVERYTHING,
  };
}

async function admit(place: Place): Promise<NewRun> {
  const run = newRun(place);
  await runStore(place.database).admit(run, new Date());
  return run;
}

async function claim({ database }: Place, { run_id }: NewRun): Promise<ClaimedRun | null> {
  const now = new Date();
  const until = new Date(now.getTime() + LEASE_MS);
  return claimStore(database).claim({ run_id, lease_id: randomUUID() }, { now, until });
}

async function end({ database }: Place, claimed: ClaimedRun | null): Promise<void> {
  if (claimed === null) throw new Error("The run was not claimed");
  const event = { seq: claimed.last_seq + 10, event: "values", data: '{"messages":["Hello"]}' };
  const values = { messages: ["Hello"] };
  await claimStore(database).finish(
    claimed,
    { status: "success", thread_status: "idle", values, interrupts: {} },
    new Date(),
    [event],
  );
}
