/** What `langgraph-functions build` makes of a project, through the genuine runtime. */

import http from "node:http";
import { readdir } from "node:fs/promises";
import type { SQSBatchResponse } from "aws-lambda";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { listen } from "../support/azure-host/proxy.ts";
import { buildProject, type BuiltProject } from "../support/built-project.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { allEvents, readEvents, type ServerEvent } from "../support/events.ts";
import { startLambda, type Lambda } from "../support/lambda/lambda.ts";
import { proxyTo, type Proxy } from "../support/proxy.ts";
import { startSqs, type Sqs } from "../support/queues/sqs.ts";

let app: BuiltProject;
let database: TestDatabase;
let proxy: Proxy;
let sqs: Sqs;
let lambda: Lambda;

beforeAll(async () => {
  app = await buildProject("lambda", "steps");
}, 120_000);
afterAll(() => app[Symbol.asyncDispose]());

beforeEach(async () => {
  [database, sqs] = await Promise.all([testDatabase(), startSqs({ visibilitySeconds: 0 })]);
  proxy = await proxyTo(database.url);
  lambda = await start("http");
});
afterEach(async () => {
  for (const resource of [lambda, proxy, sqs, database]) await resource[Symbol.asyncDispose]();
});

async function start(
  handler: string,
  { entry = app.entry, ...limits }: { entry?: string; timeoutMs?: number; killAfterMs?: number } = {},
): Promise<Lambda> {
  const env = { ...sqs.env, DATABASE_URL: proxy.url, FUNCTION_KEY: "key" };
  return startLambda({ entry, handler, env, ...limits });
}

async function post(route: string, input: object, to = lambda): Promise<Response> {
  return fetch(`${to.url}/api/graphs/${route}?code=key`, { method: "POST", body: JSON.stringify({ input }) });
}

/** Hands over what is in the queue as Lambda does, until the run has ended. */
async function work(worker: Lambda, runId: string): Promise<unknown> {
  const look = async () => {
    const event = await sqs.receive();
    if (event.Records.length > 0) {
      const answer: SQSBatchResponse = JSON.parse(await worker.invoke(event));
      expect(answer).toEqual({ batchItemFailures: [] });
      for (const record of event.Records) await sqs.remove(record);
    }
    return (
      await database.query("select status, claims, output from langgraph.runs where run_id = $1", [runId])
    )[0];
  };
  await expect
    .poll(look, { timeout: 50_000 })
    .not.toMatchObject({ status: expect.stringMatching(/pending|running/) });
  return look();
}

test("the folder has the bundle, its maps and its licences, and no packages", async () => {
  const names = await readdir(app.folder);
  expect(names).toEqual(expect.arrayContaining(["assets", "lambda.js", "lambda.js.map", "package.json"]));
  expect(
    names.filter((name) => !/\.(js|js\.map|js\.LEGAL\.txt)$|^assets$|^package\.json$/.test(name)),
  ).toEqual([]);
});

test("a stream's first event is there before its last one is made", async () => {
  const gate = http.createServer();
  const asked = new Promise<http.ServerResponse>((resolve) => {
    gate.on("request", (_request, response) => resolve(response));
  });
  const input = { text: "a", gate: `http://127.0.0.1:${await listen(gate)}/` };
  const events = readEvents(await post("gated/stream", input));
  expect((await events.next()).value).toMatchObject({ event: "data", data: { text: "a" } });
  (await asked).end();
  const rest: ServerEvent[] = [];
  for await (const event of events) rest.push(event);
  expect(rest).toContainEqual({ event: "data", data: { text: "a before after", gate: input.gate } });
  expect(rest.at(-1)?.event).toBe("end");
  gate.close();
  gate.closeAllConnections();
});

test("what fails before a stream begins is an answer, and what fails in it an event; the sandbox lives on", async () => {
  expect((await post("none/stream", {})).status).toBe(404);
  const events = await allEvents(await post("failing/stream", { text: "a" }));
  expect(events.map(({ event }) => event)).toEqual(["data", "data", "error", "end"]);
  const logged = lambda.output.find((line) => line.includes("spilled")) ?? "{}";
  expect(JSON.parse(logged)).toMatchObject({
    err: {
      type: "SpilledMilk",
      stack: expect.stringMatching(/ at func \(\S*functions\/graphs\/failing\.ts:12:11\)\n/),
    },
  });
  expect((await post("failing/invoke", { text: "a" })).status).toBe(500);
  expect(lambda.inits).toBe(1);
});

test("a run in the background is executed by the worker, from one invocation to the next before each one's time-out", async () => {
  const asked = await post("counting/runs", { count: 0 });
  expect(asked.status, await asked.clone().text()).toBe(202);
  const { run_id } = await asked.json();
  // Time for a few steps of half a second; only this machine's slowness could use up the rest.
  await using worker = await start("worker", { timeoutMs: 4_500, killAfterMs: 30_000 });
  expect(await work(worker, run_id)).toMatchObject({
    status: "success",
    output: { count: 12 },
    claims: expect.toSatisfy((claims: number) => claims > 1),
  });
  expect(worker.reports.map(({ status }) => status)).not.toContain("timeout");
  await using schedule = await start("schedule");
  expect(JSON.parse(await schedule.invoke({ source: "langgraph.tick" }))).toMatchObject({ recovered: 0 });
});

test("a sandbox that is thawed goes on, though its connections have died meanwhile", async () => {
  expect((await post("failing/invoke", { text: "a" })).status).toBe(500);
  await expect.poll(() => lambda.isFrozen).toBe(true);
  await proxy.cut();
  await proxy.mend();
  const events = await allEvents(await post("failing/stream", { text: "b" }));
  expect(events[0]).toEqual({ event: "data", data: { text: "b" } });
  expect(lambda.inits).toBe(1);
});

test("a setting that is missing is named when the sandbox starts", async () => {
  await using bare = await startLambda({ entry: app.entry, handler: "http" });
  expect((await post("failing/invoke", {}, bare)).status).toBe(502);
  expect(bare.output.join("\n")).toContain("DATABASE_URL is not set");
});

test("a project as init makes it answers, and works in the background", { timeout: 120_000 }, async () => {
  await using made = await buildProject("lambda");
  await using greeter = await start("http", made);
  const input = { messages: [{ role: "user", content: "I am Ada." }] };
  const answer = await post("greeter/invoke", input, greeter);
  expect(await answer.json()).toMatchObject({
    output: { messages: [{}, { content: expect.stringMatching(/^Hello!/) }] },
  });
  const { run_id } = await (await post("greeter/runs", input, greeter)).json();
  await using worker = await start("worker", made);
  expect(await work(worker, run_id)).toMatchObject({ status: "success", claims: 1 });
});
