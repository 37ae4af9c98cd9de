/** As `load.test.ts`, through SQS: the test plays the event source mapping of a worker function that runs four times at once. */

import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { SQSBatchResponse } from "aws-lambda";
import { expect, test, vi } from "vitest";
import { buildApp } from "../support/build.ts";
import { startLambda, type Lambda } from "../support/lambda/lambda.ts";
import { expectEachOnceAndInOrder, patience, sendAll } from "../support/load.ts";
import { diaryDatabase, forget, unsettled } from "../support/processes.ts";
import { startSqs, type Sqs } from "../support/queues/sqs.ts";

const WORKERS = 4;
/** How long the mapping waits before it looks at an empty queue again. */
const IDLE_MS = 100;

/** Hands over batch by batch until it is disposed of; as a bad queue, loses one message in five and doubles the others. */
function delivering(sqs: Sqs, worker: Lambda, schedule: Lambda, lossy: boolean): AsyncDisposable {
  const over = new AbortController();
  let messages = 0;
  const deliver = async (_: unknown, lane: number): Promise<void> => {
    while (!over.signal.aborted) {
      const { Records } = await sqs.receive();
      if (Records.length === 0) await delay(IDLE_MS);
      if (Records.length === 0 && lane === 0) await schedule.invoke({ source: "langgraph.tick" });
      const kept = Records.filter(() => !lossy || (messages += 1) % 5 !== 0);
      const event = { Records: lossy ? [...kept, ...kept] : kept };
      const answer: SQSBatchResponse =
        kept.length === 0 ? { batchItemFailures: [] } : JSON.parse(await worker.invoke(event));
      expect(answer).toEqual({ batchItemFailures: [] });
      for (const record of Records) await sqs.remove(record);
    }
  };
  const all = Array.from({ length: WORKERS }, deliver);
  return {
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await Promise.all(all);
    },
  };
}

test.each([
  { queue: "SQS", lossy: false },
  { queue: "an SQS that is full of rubbish, loses one message in five and doubles the others", lossy: true },
])(
  "four workers behind $queue execute 500 runs on 50 threads, each once and in order",
  { timeout: patience.timeout },
  async ({ lossy }) => {
    await using app = await buildApp(path.join(import.meta.dirname, "../aws/fixtures/load.ts"));
    await using sqs = await startSqs();
    await using database = await diaryDatabase();
    const env = { ...sqs.env, DATABASE_URL: database.url, FUNCTION_KEY: "key", LOG_LEVEL: "silent" };
    await using http = await startLambda({ entry: app.entry, handler: "http", env });
    await using worker = await startLambda({ entry: app.entry, handler: "worker", env });
    await using schedule = await startLambda({ entry: app.entry, handler: "schedule", env });
    {
      await using _delivering = delivering(sqs, worker, schedule, lossy);
      await sendAll(4, async (body, turn) => {
        const url = `${http.url}/api/graphs/quick/runs?code=key`;
        const answer = await fetch(url, { method: "POST", body: JSON.stringify(body) });
        await answer.text();
        if (lossy) await sqs.send(["rubbish", "{}", '{"run_id":7}', "[]"][turn % 4] ?? "");
        return answer.status;
      });
      await vi.waitFor(async () => {
        if (lossy) await forget(database.query);
        expect(await unsettled(database.query)).toEqual([]);
      }, patience);
    }
    await expectEachOnceAndInOrder(database, worker.inits);
    expect(worker.inits).toBe(WORKERS);
  },
);
