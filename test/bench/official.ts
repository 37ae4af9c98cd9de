/** Against the official in-memory server: a run that is waited for, and background runs drained. */

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import type { Benchmark } from "./benchmark.ts";
import { post } from "./client.ts";
import { createDatabase, INPUT, startOurs } from "./contenders.ts";
import { interleave } from "./measure.ts";
import { startOfficialServer } from "./official-server.ts";
import { ratio } from "./report.ts";

const RUNS = 200;
/** Requests that create runs, under way at once. */
const CREATING = 10;
const LIMIT_MS = 120_000;

export const official: Benchmark = {
  name: "official",
  description: `invoke p50 on an idle server, and ${RUNS} background runs drained, against the official in-memory server`,
  run: async (deps) => {
    const server = await startOfficialServer(deps.progress).catch((error: unknown) => {
      deps.note(`official: left out, the official server cannot be had: ${String(error)}`);
    });
    if (server === undefined) return [];
    await using theirs = server;
    const database = await createDatabase(deps.postgresUrl);
    await using ours = await startOurs(database);
    await using observer = await connect(database);

    deps.progress("official: runs that are waited for");
    const waited = await interleave(
      { ours: async () => ours.invoke(randomUUID()), theirs: async () => waitFor(theirs.url) },
      { ...deps, rounds: Math.ceil(deps.rounds / 4), warmUp: 5 },
    );
    deps.progress(`official: ${RUNS} background runs`);
    const drained = await interleave(
      {
        ours: async () =>
          drain(
            async () => void (await post(`${ours.url}/graphs/three/runs`, { input: INPUT })),
            async () => observer.isIdle(),
          ),
        theirs: async () =>
          drain(
            async () => createRun(theirs.url),
            async () => isIdle(theirs.url),
          ),
      },
      { ...deps, rounds: 5, warmUp: 1 },
    );
    const who = "official";
    return [
      ratio(
        {
          what: "invoke p50, idle server",
          unit: "ms",
          ours: waited("ours"),
          who,
          theirs: waited("theirs"),
        },
        { below: 1 / 20 },
      ),
      ratio(
        {
          what: "background runs drained, 3 steps",
          unit: "runs/s",
          ours: drained("ours"),
          who,
          theirs: drained("theirs"),
        },
        { above: 3 },
      ),
    ];
  },
};

/** `runs.wait` of the SDK, on a thread that exists. */
async function waitFor(url: string): Promise<number> {
  const threadId = await createThread(url);
  const start = performance.now();
  const values = await post(`${url}/threads/${threadId}/runs/wait`, { assistant_id: "two", input: INPUT });
  const ms = performance.now() - start;
  if (JSON.stringify(values).includes("__error__")) throw new Error(JSON.stringify(values));
  return ms;
}

async function createThread(url: string): Promise<string> {
  const thread_id = randomUUID();
  await post(`${url}/threads`, { thread_id });
  return thread_id;
}

/** `runs.create` of the SDK, on a thread of its own as ours have. */
async function createRun(url: string): Promise<void> {
  const threadId = await createThread(url);
  await post(`${url}/threads/${threadId}/runs`, { assistant_id: "three", input: INPUT });
}

async function isIdle(url: string): Promise<boolean> {
  const busy = await post(`${url}/threads/search`, { status: "busy", limit: 1 });
  return Array.isArray(busy) && busy.length === 0;
}

/** Runs that end per second, from the first request on. */
async function drain(create: () => Promise<void>, isIdle: () => Promise<boolean>): Promise<number> {
  const start = performance.now();
  let created = 0;
  const creating = Array.from({ length: CREATING }, async () => {
    while (created < RUNS) {
      created += 1;
      await create();
    }
  });
  await Promise.all(creating);
  while (!(await isIdle())) {
    if (performance.now() - start > LIMIT_MS) throw new Error("Background runs are left after two minutes");
    await sleep(10);
  }
  return RUNS / ((performance.now() - start) / 1_000);
}

/** Asks the database itself whether runs are left; the answer says nothing of how they ended, the bench checks that. */
async function connect(database: string): Promise<AsyncDisposable & { isIdle: () => Promise<boolean> }> {
  const client = new Client({ connectionString: database });
  await client.connect();
  return {
    isIdle: async () => {
      const { rows } = await client.query<{ left: string; failed: string }>(
        `select count(*) filter (where status in ('pending', 'running')) as left,
          count(*) filter (where status = 'error') as failed from langgraph.runs`,
      );
      if (Number(rows[0]?.failed) > 0) throw new Error("Some of our background runs failed");
      return Number(rows[0]?.left) === 0;
    },
    [Symbol.asyncDispose]: async () => client.end(),
  };
}
