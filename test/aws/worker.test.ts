/** What becomes of runs that need more time than an invocation has, and of messages that fail, through the genuine runtime. */

import path from "node:path";
import type { SQSBatchResponse } from "aws-lambda";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { buildApp, type BuiltApp } from "../support/build.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { startLambda, type Lambda } from "../support/lambda/lambda.ts";
import { proxyTo, type Proxy } from "../support/proxy.ts";
import { startSqs, type Sqs } from "../support/queues/sqs.ts";

const MAX_RECEIVES = 3;

let app: BuiltApp;
let sqs: Sqs;
let database: TestDatabase;
let proxy: Proxy;
let http: Lambda;
let worker: Lambda;
let schedule: Lambda;

beforeAll(async () => {
  app = await buildApp(path.join(import.meta.dirname, "fixtures/steps.ts"));
});
afterAll(() => app[Symbol.asyncDispose]());

beforeEach(async () => {
  [sqs, database] = await Promise.all([
    startSqs({ visibilitySeconds: 0, maxReceiveCount: MAX_RECEIVES }),
    testDatabase(),
  ]);
  proxy = await proxyTo(database.url);
  const env = { ...sqs.env, DATABASE_URL: database.url, FUNCTION_KEY: "key" };
  http = await startLambda({ entry: app.entry, handler: "http", env });
  schedule = await startLambda({ entry: app.entry, handler: "schedule", env });
  // Time for a few steps of half a second; only this machine's slowness could use up the rest.
  const limits = { timeoutMs: 4_500, killAfterMs: 30_000 };
  worker = await startLambda({
    entry: app.entry,
    handler: "worker",
    env: { ...env, DATABASE_URL: proxy.url },
    ...limits,
  });
});
afterEach(async () => {
  for (const resource of [http, worker, schedule, proxy, sqs, database])
    await resource[Symbol.asyncDispose]();
});

async function createRun(graph: string): Promise<string> {
  const body = JSON.stringify({ input: { count: 0 } });
  const response = await fetch(`${http.url}/api/graphs/${graph}/runs?code=key`, { method: "POST", body });
  expect(response.status).toBe(202);
  return (await response.json()).run_id;
}

async function runOf(runId: string): Promise<object | undefined> {
  const [run] = await database.query(
    "select status, claims, error, output from langgraph.runs where run_id = $1",
    [runId],
  );
  return run;
}

/** Hands over a batch as Lambda does, and deletes what the function takes. */
async function deliver(): Promise<SQSBatchResponse> {
  const event = await sqs.receive();
  if (event.Records.length === 0) return { batchItemFailures: [] };
  const answer: SQSBatchResponse = JSON.parse(await worker.invoke(event));
  const failed = new Set(answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
  for (const record of event.Records) if (!failed.has(record.messageId)) await sqs.remove(record);
  return answer;
}

async function deliverUntilEnded(runId: string): Promise<void> {
  await expect
    .poll(
      async () => {
        expect(await deliver()).toEqual({ batchItemFailures: [] });
        return runOf(runId);
      },
      { timeout: 50_000 },
    )
    .toMatchObject({ status: expect.stringMatching(/^(success|error)$/) });
}

test("a run that needs more time than an invocation has goes on in the next ones, without a time-out", async () => {
  const runId = await createRun("steps");
  await deliverUntilEnded(runId);
  const run = await runOf(runId);
  expect(run).toMatchObject({ status: "success", output: { count: 12 } });
  expect(run).toMatchObject({ claims: expect.toSatisfy((claims: number) => claims > 1) });
  expect(worker.reports.map(({ status }) => status)).not.toContain("timeout");
  expect(worker.inits).toBe(1);
});

test("a run that can never end in time is given up, says why, and its messages do not come back", async () => {
  const runId = await createRun("endless");
  await deliverUntilEnded(runId);
  expect(await runOf(runId)).toMatchObject({
    status: "error",
    error: "Given up after 3 attempts: the executor vanished or ran out of time in each",
  });
  expect((await sqs.receive()).Records).toEqual([]);
  expect(sqs.dead()).toEqual([]);
  expect(worker.reports.map(({ status }) => status)).not.toContain("timeout");
});

test("messages that fail for too long are put aside; redriven when the database is back, they execute their run", async () => {
  const runId = await createRun("steps");
  await proxy.cut();
  await expect.poll(async () => (await deliver(), sqs.dead()), { timeout: 50_000 }).toHaveLength(1);
  const told = worker.output.filter((line) => line.includes("A queue message failed"));
  expect(told).toHaveLength(MAX_RECEIVES);
  expect(JSON.parse(told[0] ?? "")).toMatchObject({ level: "error", run_id: runId });
  expect(await runOf(runId)).toMatchObject({ status: "pending" });
  await proxy.mend();
  await sqs.redrive();
  await deliverUntilEnded(runId);
  expect(await runOf(runId)).toMatchObject({ status: "success" });
});

test("log lines of a worker have the id that Lambda gives the invocation", async () => {
  await sqs.send("rubbish");
  await deliver();
  const line = worker.output.find((line) => line.includes("none of ours"));
  expect(JSON.parse(line ?? "")).toMatchObject({ request_id: worker.reports[0]?.requestId });
});

test("several schedules at once wake a forgotten run, and it is executed once", async () => {
  const runId = await createRun("steps");
  for (const record of (await sqs.receive()).Records) await sqs.remove(record);
  await database.query("update langgraph.runs set woken_at = woken_at - interval '1 minute'");
  const reports = await Promise.all([1, 2, 3].map(async () => JSON.parse(await schedule.invoke({}))));
  expect(schedule.inits).toBe(3);
  const resent = reports.reduce((sum, report) => sum + report.resent, 0);
  expect(resent).toBeGreaterThan(0);
  expect((await sqs.receive()).Records).toHaveLength(resent);
  await deliverUntilEnded(runId);
  expect(await runOf(runId)).toMatchObject({ status: "success", output: { count: 12 } });
});
