import { once } from "node:events";
import { createServer } from "node:http";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { storageQueue } from "../../src/azure/queue.ts";
import { systemClock } from "../../src/clock.ts";
import { readAzureSettings } from "../../src/host-settings.ts";
import { wakeUpQueueContract } from "../contract/wake-up-queue.ts";
import { startAzurite, type Azurite } from "../support/queues/azurite.ts";

const runId = "6f1c0d3e-0000-4000-8000-000000000000";

wakeUpQueueContract("Azure Storage", async () => {
  const azurite = await startAzurite();
  const settings = readAzureSettings({ AzureWebJobsStorage: azurite.connectionString });
  return {
    queue: storageQueue(settings, systemClock),
    take: async () => {
      const messages = await azurite.receive(settings.queueName);
      await Promise.all(messages.map((message) => message.remove()));
      return messages.map(({ text }) => JSON.parse(text));
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
  await queue.send({ run_id: runId });
  const [message] = await azurite.receive("other-runs");
  expect(JSON.parse(message?.text ?? "")).toEqual({ run_id: runId });
  await azurite.drop("other-runs");
  await expect(queue.send({ run_id: runId })).rejects.toThrow("The run queue cannot be reached");
  await queue.send({ run_id: runId });
  expect(await azurite.receive("other-runs")).toHaveLength(1);
});

test("what the host has put aside as poison is counted; a queue that nobody has made yet has nothing in it", async () => {
  const settings = readAzureSettings({
    AzureWebJobsStorage: azurite.connectionString,
    RUN_QUEUE: "counted-runs",
  });
  const queue = storageQueue(settings, systemClock);
  const { signal } = new AbortController();
  expect(await queue.depth(signal)).toEqual({ messages: 0, deadLetters: 0 });
  await queue.send({ run_id: runId });
  await azurite.make("counted-runs-poison");
  await azurite.send("counted-runs-poison", "rubbish");
  await azurite.send("counted-runs-poison", "rubbish");
  expect(await queue.depth(signal)).toEqual({ messages: 1, deadLetters: 2 });
});

test("a queue that cannot be reached is `unavailable`", async () => {
  const away = await startAzurite();
  await away[Symbol.asyncDispose]();
  const queue = storageQueue(readAzureSettings({ AzureWebJobsStorage: away.connectionString }), systemClock);
  await expect(queue.depth(AbortSignal.timeout(2_000))).rejects.toMatchObject({ code: "unavailable" });
  await expect(queue.send({ run_id: runId })).rejects.toMatchObject({ code: "unavailable" });
});

test("without a storage account, sending says which settings name one", async () => {
  const none = {
    AzureWebJobsStorage: undefined,
    AzureWebJobsStorage__queueServiceUri: undefined,
    AzureWebJobsStorage__accountName: undefined,
  };
  const queue = storageQueue(readAzureSettings(none), systemClock);
  await expect(queue.send({ run_id: runId })).rejects.toThrow(
    /AzureWebJobsStorage .*__queueServiceUri.*__accountName/,
  );
});

test("where there is no connection string, the app's managed identity signs in", async () => {
  const asked: URL[] = [];
  const identity = createServer((request, response) => {
    asked.push(new URL(request.url ?? "", "http://identity"));
    response.setHeader("content-type", "application/json");
    response.end(
      JSON.stringify({
        access_token: "token",
        expires_on: "4102444800",
        token_type: "Bearer",
        resource: "r",
      }),
    );
  }).listen(0, "127.0.0.1");
  await once(identity, "listening");
  const address = identity.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port");
  vi.stubEnv("IDENTITY_ENDPOINT", `http://127.0.0.1:${address.port}/msi/token`);
  vi.stubEnv("IDENTITY_HEADER", "secret");
  const settings = readAzureSettings({
    AzureWebJobsStorage: undefined,
    AzureWebJobsStorage__queueServiceUri: "https://127.0.0.1:1/agents",
    AzureWebJobsStorage__clientId: "11111111-2222-4333-8444-555555555555",
  });
  await expect(storageQueue(settings, systemClock).send({ run_id: runId })).rejects.toMatchObject({
    code: "unavailable",
  });
  expect(asked[0]?.searchParams.get("resource")).toBe("https://storage.azure.com");
  expect(asked[0]?.searchParams.get("client_id")).toBe("11111111-2222-4333-8444-555555555555");
  vi.unstubAllEnvs();
  identity.close();
});

test("the account's name is enough to find its queues", () => {
  const { storage } = readAzureSettings({
    AzureWebJobsStorage: "",
    AzureWebJobsStorage__accountName: "agents",
  });
  expect(storage).toEqual({
    connectionString: undefined,
    queueServiceUri: "https://agents.queue.core.windows.net",
    clientId: undefined,
  });
});
