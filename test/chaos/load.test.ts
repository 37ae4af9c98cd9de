import { expect, test, vi } from "vitest";
import { randomUUID } from "node:crypto";
import {
  buildWorker,
  diaryDatabase,
  forget,
  overlaps,
  startWorkers,
  unsettled,
  type WorkerProcess,
} from "../support/processes.ts";

const isLong = process.env["CHAOS"] === "long";
const THREADS = isLong ? 100 : 50;
const ROUNDS = isLong ? 50 : 10;
const patience = { timeout: isLong ? 600_000 : 150_000, interval: 100 };

/** Sends each thread its rounds one after the other, each to another process; all threads at once. */
async function sendAll(workers: readonly WorkerProcess[], threads: readonly string[]): Promise<void> {
  let sent = 0;
  const sendTo = async (thread_id: string): Promise<void> => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const worker = workers[(sent += 1) % workers.length];
      const body = { input: { text: String(round) }, config: { configurable: { thread_id } } };
      expect(await worker?.post("/graphs/quick/runs", body)).toMatchObject({ status: 202 });
    }
  };
  await Promise.all(threads.map(sendTo));
}

test.each([
  { queue: "a good queue", lossy: false },
  { queue: "a queue that loses one message in five and delivers the others twice", lossy: true },
])(
  "four processes with $queue execute 500 runs on 50 threads, each once and in order",
  { timeout: patience.timeout },
  async ({ lossy }) => {
    await using program = await buildWorker({ lossy });
    await using database = await diaryDatabase();
    await using workers = await startWorkers(program, database.url, 4);
    const threads = Array.from({ length: THREADS }, () => randomUUID());
    await sendAll(workers, threads);
    await vi.waitFor(async () => {
      if (lossy) await forget(database.query);
      expect(await unsettled(database.query)).toEqual([]);
    }, patience);

    expect(await database.query("select status, count(*)::int from langgraph.runs group by status")).toEqual([
      { status: "success", count: THREADS * ROUNDS },
    ]);
    expect(
      await database.query(
        "select count(*)::int, max(claims) from langgraph.runs r join executions using (run_id)",
      ),
    ).toEqual([{ count: THREADS * ROUNDS, max: 1 }]);
    expect(await overlaps(database.query)).toEqual([]);
    const inOrder = Array.from({ length: ROUNDS }, (_, round) => String(round));
    const states = await database.query(
      `select distinct "values" -> 'texts' as texts, status from langgraph.threads`,
    );
    expect(states).toEqual([{ texts: inOrder, status: "idle" }]);
    const processes = await database.query("select distinct process from executions");
    expect(processes).toHaveLength(4);
  },
);
