import { once } from "node:events";
import { createServer } from "node:http";
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
  await expect(queue.depth(AbortSignal.timeout(2_000))).rejects.toMatchObject({ code: "unavailable" });
  await expect(queue.send({ run_id: runId })).rejects.toMatchObject({ code: "unavailable" });
});

test("messages that were received too often are counted in the dead-letter queue that the redrive policy names", async () => {
  await using poisoned = await startSqs({ name: "counted-runs", visibilitySeconds: 0, maxReceiveCount: 1 });
  for (const [name, value] of Object.entries(poisoned.env)) vi.stubEnv(name, value);
  const queue = sqsQueue(poisoned.queueUrl, systemClock);
  const { signal } = new AbortController();
  await poisoned.send("rubbish");
  expect(await queue.depth(signal)).toEqual({ messages: 1, deadLetters: 0 });
  await vi.waitFor(
    async () => {
      await poisoned.receive();
      expect(await queue.depth(signal)).toEqual({ messages: 0, deadLetters: 1 });
    },
    { timeout: 15_000 },
  );
  for (const [name, value] of Object.entries(sqs.env)) vi.stubEnv(name, value);
});

test("a role that may send and not count leaves the numbers open, and does not make the queue look away", async () => {
  const server = createServer((_, response) => {
    response.writeHead(400, { "content-type": "application/x-amz-json-1.0" });
    response.end(JSON.stringify({ __type: "com.amazon.coral.service#AccessDeniedException", message: "no" }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port");
  vi.stubEnv("AWS_ENDPOINT_URL_SQS", `http://127.0.0.1:${address.port}`);
  const queue = sqsQueue(sqs.queueUrl, systemClock);
  const depth = await queue.depth(new AbortController().signal);
  vi.stubEnv("AWS_ENDPOINT_URL_SQS", sqs.env["AWS_ENDPOINT_URL_SQS"]);
  server.close();
  expect(depth).toEqual({ messages: undefined, deadLetters: undefined });
});

test("without a queue, sending says which setting names one", async () => {
  const queue = sqsQueue(undefined, systemClock);
  await expect(queue.send({ run_id: runId })).rejects.toThrow(
    "Background runs need the setting RUN_QUEUE_URL",
  );
});
