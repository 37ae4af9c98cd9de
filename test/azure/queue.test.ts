import { afterAll, beforeAll, expect, test } from "vitest";
import { storageQueue } from "../../src/azure/queue.ts";
import { systemClock } from "../../src/clock.ts";
import { readAzureSettings } from "../../src/settings.ts";
import { runQueueContract } from "../contract/run-queue.ts";
import { startAzurite, type Azurite } from "../support/queues/azurite.ts";

const runId = "6f1c0d3e-0000-4000-8000-000000000000";

runQueueContract("Azure Storage", async () => {
  const azurite = await startAzurite();
  const settings = readAzureSettings({ AzureWebJobsStorage: azurite.connectionString });
  return {
    queue: storageQueue(settings, systemClock),
    take: async () => {
      const messages = await azurite.receive(settings.queueName);
      await Promise.all(messages.map((message) => message.remove()));
      return messages.map(({ text }) => JSON.parse(text).run_id);
    },
    [Symbol.asyncDispose]: async () => azurite[Symbol.asyncDispose](),
  };
});

let azurite: Azurite;
beforeAll(async () => {
  azurite = await startAzurite();
});
afterAll(() => azurite[Symbol.asyncDispose]());

test("the queue has the name that is set, and is made again when it was deleted", async () => {
  const settings = readAzureSettings({
    AzureWebJobsStorage: azurite.connectionString,
    RUN_QUEUE: "other-runs",
  });
  const queue = storageQueue(settings, systemClock);
  await queue.send(runId);
  const [message] = await azurite.receive("other-runs");
  expect(JSON.parse(message?.text ?? "")).toEqual({ run_id: runId });
  await azurite.drop("other-runs");
  await expect(queue.send(runId)).rejects.toThrow("The run queue cannot be reached");
  await queue.send(runId);
  expect(await azurite.receive("other-runs")).toHaveLength(1);
});

test("a queue that cannot be reached is `unavailable`", async () => {
  const away = await startAzurite();
  await away[Symbol.asyncDispose]();
  const queue = storageQueue(readAzureSettings({ AzureWebJobsStorage: away.connectionString }), systemClock);
  await expect(queue.send(runId)).rejects.toMatchObject({ code: "unavailable" });
});

test("without a storage account, sending says which settings name one", async () => {
  const none = {
    AzureWebJobsStorage: undefined,
    AzureWebJobsStorage__queueServiceUri: undefined,
    AzureWebJobsStorage__accountName: undefined,
  };
  const queue = storageQueue(readAzureSettings(none), systemClock);
  await expect(queue.send(runId)).rejects.toThrow(/AzureWebJobsStorage .*__queueServiceUri.*__accountName/);
});
