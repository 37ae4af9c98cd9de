/** Background runs through the genuine runtime, a real database and a real queue, whose batches the test hands over as Lambda does. */

import path from "node:path";
import type { SQSBatchResponse, SQSEvent } from "aws-lambda";
import { afterAll, beforeAll, expect, test } from "vitest";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { buildApp, type BuiltApp } from "../support/build.ts";
import { type Lambda, startLambda } from "../support/lambda/lambda.ts";
import { proxyTo, type Proxy } from "../support/proxy.ts";
import { startSqs, type Sqs } from "../support/queues/sqs.ts";

const unknownRun = "6f1c0d3e-0000-4000-8000-000000000000";

let app: BuiltApp;
let sqs: Sqs;
let database: TestDatabase;
let proxy: Proxy;
/** The three functions of one deployment. */
let http: Lambda;
let worker: Lambda;
let schedule: Lambda;

beforeAll(async () => {
  [app, sqs, database] = await Promise.all([
    buildApp(path.join(import.meta.dirname, "fixtures/background.ts")),
    startSqs(),
    testDatabase(),
  ]);
  proxy = await proxyTo(database.url);
  const env = { ...sqs.env, DATABASE_URL: database.url, FUNCTION_KEY: "key" };
  http = await startLambda({ entry: app.entry, handler: "http", env });
  worker = await startLambda({
    entry: app.entry,
    handler: "worker",
    env: { ...env, DATABASE_URL: proxy.url },
  });
  schedule = await startLambda({ entry: app.entry, handler: "schedule", env });
});
afterAll(async () => {
  for (const resource of [http, worker, schedule, proxy, sqs, database, app])
    await resource[Symbol.asyncDispose]();
});

async function post(route: string, body: unknown, to = http): Promise<Response> {
  return fetch(`${to.url}/api/graphs/shout/${route}?code=key`, {
    method: "POST",
    body: JSON.stringify(body),
  });
}

async function createRun(text: string): Promise<string> {
  const response = await post("runs", { input: { text } });
  expect(response.status).toBe(202);
  return (await response.json()).run_id;
}

async function getRun(runId: string): Promise<unknown> {
  return (await fetch(`${http.url}/api/graphs/shout/runs/${runId}?code=key`)).json();
}

async function work(event: SQSEvent): Promise<SQSBatchResponse> {
  return JSON.parse(await worker.invoke(event));
}

/** Hands over one batch of what is visible, deletes what the function takes, and tells how many came and failed. */
async function deliver(): Promise<{ came: number; failed: number }> {
  const event = await sqs.receive();
  if (event.Records.length === 0) return { came: 0, failed: 0 };
  const { batchItemFailures } = await work(event);
  const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
  for (const record of event.Records) if (!failed.has(record.messageId)) await sqs.remove(record);
  return { came: event.Records.length, failed: failed.size };
}

test("runs that are created over HTTP are executed by the worker, a batch at once", async () => {
  const runIds = [await createRun("one"), await createRun("two")];
  expect(await getRun(runIds[0] ?? "")).toMatchObject({ status: "pending", output: null });
  expect(await deliver()).toEqual({ came: 2, failed: 0 });
  expect(await Promise.all(runIds.map(getRun))).toMatchObject([
    { status: "success", output: { text: "one!" } },
    { status: "success", output: { text: "two!" } },
  ]);
});

test("the status counts what waits in the queues and in the database, and the schedule tells it in one line", async () => {
  await deliver();
  const runId = await createRun("counted");
  const response = await fetch(`${http.url}/api/status?code=key`);
  expect([response.status, await response.json()]).toMatchObject([
    200,
    {
      status: "ok",
      database: { status: "ok" },
      queue: { status: "ok", dead_letters: 0 },
      runs: { waiting: 1, running: 0 },
    },
  ]);
  expect((await fetch(`${http.url}/api/status`)).status).toBe(401);
  await schedule.invoke({});
  const told = schedule.output.filter((line) => line.includes('"msg":"Tick"'));
  expect(told.map((line) => JSON.parse(line))).toMatchObject([
    { level: "info", waiting_runs: 1, running_runs: 0, oldest_waiting_run_age_s: expect.any(Number) },
  ]);
  await deliver();
  expect(await getRun(runId)).toMatchObject({ status: "success" });
});

test("a message that comes twice, at once and again later, executes its run once", async () => {
  const runId = await createRun("once");
  await sqs.send(JSON.stringify({ run_id: runId }));
  expect(await deliver()).toEqual({ came: 2, failed: 0 });
  await sqs.send(JSON.stringify({ run_id: runId }));
  expect(await deliver()).toEqual({ came: 1, failed: 0 });
  expect(await getRun(runId)).toMatchObject({ status: "success", output: { text: "once!" } });
  expect(await database.query("select claims from langgraph.runs where run_id = $1", [runId])).toEqual([
    { claims: 1 },
  ]);
});

test("messages that are none of ours are dropped, which the log tells; the run beside them is executed", async () => {
  const runId = await createRun("beside");
  const rubbish = ["rubbish", "null", "[]", "{}", '{"run_id":7}', '{"run_id":"none"}'];
  for (const body of rubbish) await sqs.send(body);
  await sqs.send(JSON.stringify({ run_id: unknownRun }));
  expect(await deliver()).toEqual({ came: rubbish.length + 2, failed: 0 });
  expect(await getRun(runId)).toMatchObject({ status: "success" });
  const dropped = worker.output.filter((line) =>
    line.includes("Dropped a queue message that is none of ours"),
  );
  expect(dropped).toHaveLength(rubbish.length);
});

test("a message that comes before its run is due is sent again for the rest, as far as SQS can delay", async () => {
  const message = JSON.stringify({ run_id: unknownRun, not_before: new Date(Date.now() + 3_600_000) });
  await sqs.send(message);
  expect(await deliver()).toEqual({ came: 1, failed: 0 });
  expect(sqs.delayed()).toContain(message); // beside those that look after leases
});

test("while the database is away, the messages of runs fail, and only they", async () => {
  const runId = await createRun("patient");
  await sqs.send("rubbish");
  await proxy.cut();
  const event = await sqs.receive();
  const { batchItemFailures } = await work(event);
  const failed = event.Records.find(({ body }) => body.includes(runId));
  expect(batchItemFailures).toEqual([{ itemIdentifier: failed?.messageId }]);
  await proxy.mend();
  expect(await work(event)).toEqual({ batchItemFailures: [] });
  expect(await getRun(runId)).toMatchObject({ status: "success" });
});

test("the schedule wakes a worker for a run whose message was lost", async () => {
  const runId = await createRun("lost");
  const { Records } = await sqs.receive();
  for (const record of Records) await sqs.remove(record);
  await database.query(
    "update langgraph.runs set woken_at = woken_at - interval '1 minute' where run_id = $1",
    [runId],
  );
  const report = JSON.parse(await schedule.invoke({ source: "langgraph.tick" }));
  expect(report).toEqual({ recovered: 0, resent: 1, fired: 0, expired: 0 });
  expect(await deliver()).toEqual({ came: 1, failed: 0 });
  expect(await getRun(runId)).toMatchObject({ status: "success", output: { text: "lost!" } });
});

test("an event that is no batch is refused", async () => {
  await expect(worker.invoke({ hello: "world" })).rejects.toThrow("TypeError");
});

test("without a queue, a background run is refused by the setting's name; invoke and stream need none", async () => {
  const env = { DATABASE_URL: database.url, FUNCTION_KEY: "key" };
  await using bare = await startLambda({ entry: app.entry, handler: "http", env });
  const input = { text: "here" };
  const refused = await post("runs", { input }, bare);
  expect([refused.status, await refused.json()]).toEqual([
    503,
    { error: "unavailable", detail: expect.stringContaining("RUN_QUEUE_URL") },
  ]);
  expect(await (await post("invoke", { input }, bare)).text()).toContain("here!");
  expect(await (await post("stream", { input }, bare)).text()).toContain("here!");
});

test("without the queue's package, a background run is refused by its name", async () => {
  const missing = ["@aws-sdk/client-sqs"];
  const source = path.join(import.meta.dirname, "fixtures/background.ts");
  await using lacking = await buildApp(source, { missing });
  const env = { ...sqs.env, DATABASE_URL: database.url, FUNCTION_KEY: "key" };
  await using bare = await startLambda({ entry: lacking.entry, handler: "http", env });
  const refused = await post("runs", { input: { text: "nowhere" } }, bare);
  expect([refused.status, await refused.text()]).toEqual([
    503,
    expect.stringContaining("npm install @aws-sdk/client-sqs"),
  ]);
});
