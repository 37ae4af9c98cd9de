/** The timer never ticks here: what falls due happens because a message was sent ahead, and the database is left alone until then. */

import { randomUUID } from "node:crypto";
import path from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startAzureHost, type AzureHost } from "../support/azure-host/host.ts";
import { buildApp, type BuiltApp } from "../support/build.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { startLambda } from "../support/lambda/lambda.ts";
import { proxyTo, type Proxy } from "../support/proxy.ts";
import { startAzurite, type Azurite } from "../support/queues/azurite.ts";
import { startSqs } from "../support/queues/sqs.ts";
import { startReceiver } from "../support/receiver.ts";

const LEASE_SECONDS = 4;
const LEASE_MS = LEASE_SECONDS * 1_000;

let app: BuiltApp;
let azurite: Azurite;
let database: TestDatabase;
let proxy: Proxy;

beforeAll(async () => {
  [app, azurite, database] = await Promise.all([
    buildApp(path.join(import.meta.dirname, "../azure/fixtures/background.ts")),
    startAzurite(),
    testDatabase(),
  ]);
  proxy = await proxyTo(database.url);
});
afterAll(async () => {
  for (const resource of [proxy, app, azurite, database]) await resource[Symbol.asyncDispose]();
});

async function start(): Promise<AzureHost> {
  return startAzureHost({
    entry: app.entry,
    keys: false,
    env: {
      DATABASE_URL: proxy.url,
      AzureWebJobsStorage: azurite.connectionString,
      RUN_LEASE_SECONDS: String(LEASE_SECONDS),
      TICK_SCHEDULE: "0 0 * * * *",
    },
  });
}

async function post(host: AzureHost, route: string, body: object) {
  const response = await fetch(`${host.url}${route}`, { method: "POST", body: JSON.stringify(body) });
  expect(response.ok).toBe(true);
  return response.json();
}

/** Delivers messages as they become visible, until that is so. Nobody asks the database for anything in between. */
async function deliverUntil(deliver: () => Promise<Deliver>, isSo: () => Promise<boolean>): Promise<void> {
  let askedBefore = proxy.asked();
  let askedInBetween = 0;
  await vi.waitFor(
    async () => {
      const work = await deliver();
      askedInBetween += proxy.asked() - askedBefore;
      await work();
      askedBefore = proxy.asked();
      if (!(await isSo())) throw new Error("Not yet");
    },
    { timeout: 120_000, interval: 100 },
  );
  expect(askedInBetween).toBe(0);
}

/** Hands over what is visible. */
type Deliver = () => Promise<void>;

const through = (host: AzureHost) => async (): Promise<Deliver> => {
  const messages = await azurite.receive("langgraph-runs");
  return async () => {
    for (const { text, dequeueCount, remove } of messages) {
      await host.invokeQueue("run_worker", text, dequeueCount);
      await remove();
    }
  };
};

async function statusOf(runId: string): Promise<Record<string, unknown> | undefined> {
  const [run] = await database.query(
    "select status, claims, extract(epoch from updated_at - due_at)::float8 as late from langgraph.runs where run_id = $1",
    [runId],
  );
  return run;
}

const hasSucceeded = (runId: string) => async () => (await statusOf(runId))?.["status"] === "success";

test("the run of a process that was killed is taken over soon after its lease has lapsed", async () => {
  await using first = await start();
  await using second = await start();
  const { run_id } = await post(first, "/graphs/slow/runs", { input: { text: "" } });
  const [message] = await azurite.receive("langgraph-runs");
  const working = first.invokeQueue("run_worker", message?.text).catch(() => undefined);
  await message?.remove();
  await vi.waitFor(
    async () =>
      expect(
        await database.query("select seq from langgraph.events where run_id = $1 and seq > 1", [run_id]),
      ).not.toEqual([]),
    { timeout: 90_000, interval: 20 },
  );
  await first.kill();
  await working;
  const killed = Date.now();
  await deliverUntil(through(second), async () => (await statusOf(run_id))?.["claims"] === 2);
  expect(Date.now() - killed).toBeLessThan(2 * LEASE_MS + 20_000);
  await deliverUntil(through(second), hasSucceeded(run_id));
});

test("a run that was asked for later, and one of a cron, come in time", async () => {
  await using host = await start();
  const thread = `/threads/${randomUUID()}/runs`;
  const body = { assistant_id: "shout", input: { text: "later" }, if_not_exists: "create" };
  const { run_id } = await post(host, thread, { ...body, after_seconds: 3 });
  const { cron_id, next_run_date } = await post(host, "/runs/crons", {
    assistant_id: "shout",
    input: { text: "again" },
    schedule: "* * * * * 0,20,40",
    on_run_completed: "keep",
  });
  await deliverUntil(through(host), hasSucceeded(run_id));
  expect((await statusOf(run_id))?.["late"]).toBeLessThan(20);
  const runsOfCron = async () =>
    database.query(
      "select status, created_at from langgraph.runs where metadata ->> 'cron_id' = $1 order by created_at",
      [cron_id],
    );
  await deliverUntil(through(host), async () => (await runsOfCron())[0]?.["status"] === "success");
  const [run] = await runsOfCron();
  const late = Number(run?.["created_at"]) - Date.parse(next_run_date);
  expect(late).toBeGreaterThanOrEqual(0);
  expect(late).toBeLessThan(20_000);
});

test("a webhook that its receiver has refused is delivered again in time", async () => {
  await using receiver = await startReceiver({ statuses: [503, 204] });
  await using host = await start();
  const webhook = receiver.url;
  const { run_id } = await post(host, "/runs", { assistant_id: "shout", input: { text: "told" }, webhook });
  await deliverUntil(through(host), async () => receiver.received.length === 2);
  const [first, second] = receiver.received.map(({ body }) => body);
  expect(second).toMatchObject({ run_id, status: "success", values: { text: "told!" } });
  const pause =
    Date.parse(String(second?.["webhook_sent_at"])) - Date.parse(String(first?.["webhook_sent_at"]));
  expect(pause).toBeGreaterThanOrEqual(5_000);
  expect(pause).toBeLessThan(25_000);
  expect(await database.query("select from langgraph.webhooks")).toEqual([]);
});

test("on Lambda, the run of a sandbox that was killed is taken over in the same way", async () => {
  await using built = await buildApp(path.join(import.meta.dirname, "../aws/fixtures/hanging.ts"));
  await using sqs = await startSqs();
  const env = {
    ...sqs.env,
    DATABASE_URL: proxy.url,
    FUNCTION_KEY: "key",
    RUN_LEASE_SECONDS: String(LEASE_SECONDS),
  };
  const start = async (handler: string, more: object = {}, killAfterMs = 60_000) =>
    startLambda({ entry: built.entry, handler, env: { ...env, ...more }, killAfterMs });
  await using http = await start("http");
  await using first = await start("worker", { HANGS: "true" }, 6_000);
  await using second = await start("worker");
  const created = await fetch(`${http.url}/api/graphs/hanging/runs?code=key`, {
    method: "POST",
    body: JSON.stringify({ input: { text: "a" } }),
  });
  const { run_id } = await created.json();
  const event = await sqs.receive();
  await first.invoke(event).catch(() => undefined);
  for (const record of event.Records) await sqs.remove(record);
  expect(await statusOf(run_id)).toMatchObject({ status: "running", claims: 1 });
  const deliver = async (): Promise<Deliver> => {
    const batch = await sqs.receive();
    return async () => {
      if (batch.Records.length > 0) await second.invoke(batch);
      for (const record of batch.Records) await sqs.remove(record);
    };
  };
  await deliverUntil(deliver, hasSucceeded(run_id));
  expect(await statusOf(run_id)).toMatchObject({ claims: 2 });
});
