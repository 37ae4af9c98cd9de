import { expect, test, vi } from "vitest";
import { expectEachOnceAndInOrder, patience, sendAll } from "../support/load.ts";
import { buildWorker, diaryDatabase, forget, startWorkers, unsettled } from "../support/processes.ts";

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
    await sendAll(50, async (body, turn) => {
      const answer = await workers[turn % workers.length]?.post("/graphs/quick/runs", body);
      return answer?.status ?? 0;
    });
    await vi.waitFor(async () => {
      if (lossy) await forget(database.query);
      expect(await unsettled(database.query)).toEqual([]);
    }, patience);
    await expectEachOnceAndInOrder(database, workers.length);
  },
);
