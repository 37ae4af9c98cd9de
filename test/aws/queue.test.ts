import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { sqsQueue } from "../../src/aws/queue.ts";
import { systemClock } from "../../src/clock.ts";
import { wakeUpQueueContract } from "../contract/wake-up-queue.ts";
import { startSqs, type Sqs } from "../support/queues/sqs.ts";

const runId = "6f1c0d3e-0000-4000-8000-000000000000";

async function open(): Promise<Sqs> {
  const sqs = await startSqs();
  for (const [name, value] of Object.entries(sqs.env)) vi.stubEnv(name, value);
  return sqs;
}

wakeUpQueueContract("SQS", async () => {
  const sqs = await open();
  return {
    queue: sqsQueue(sqs.queueUrl, systemClock),
    take: async () => {
      const { Records } = await sqs.receive();
      await Promise.all(Records.map((record) => sqs.remove(record)));
      return Records.map(({ body }) => JSON.parse(body));
    },
    [Symbol.asyncDispose]: async () => sqs[Symbol.asyncDispose](),
  };
});

let sqs: Sqs;
beforeAll(async () => {
  sqs = await open();
});
afterAll(() => sqs[Symbol.asyncDispose]());

test("a queue that cannot be reached is `unavailable`", async () => {
  const away = await startSqs();
  await away[Symbol.asyncDispose]();
  const queue = sqsQueue(away.queueUrl, systemClock);
  await expect(queue.send({ run_id: runId })).rejects.toMatchObject({ code: "unavailable" });
});

test("without a queue, sending says which setting names one", async () => {
  const queue = sqsQueue(undefined, systemClock);
  await expect(queue.send({ run_id: runId })).rejects.toThrow(
    "Background runs need the setting RUN_QUEUE_URL",
  );
});
