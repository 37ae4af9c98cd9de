/** The events as the documentation of AWS shows them, through the genuine runtime. */

import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildApp, type BuiltApp } from "../support/build.ts";
import { startLambda, type Lambda } from "../support/lambda/lambda.ts";

const folder = path.join(import.meta.dirname, "events");
const handlers = ["http", "worker", "schedule"] as const;

let app: BuiltApp;
const lambdas = new Map<string, Lambda>();

beforeAll(async () => {
  app = await buildApp(path.join(import.meta.dirname, "fixtures/edges.ts"));
  for (const handler of handlers) lambdas.set(handler, await startLambda({ entry: app.entry, handler }));
});
afterAll(async () => {
  for (const lambda of lambdas.values()) await lambda[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

async function invoke(handler: (typeof handlers)[number], name: string): Promise<string> {
  const event: unknown = JSON.parse(readFileSync(path.join(folder, `${name}.json`), "utf8"));
  return (await lambdas.get(handler)?.invoke(event)) ?? "";
}

/** What the app was asked, of an event that is answered with a stream or with one result. */
const fronts = {
  "function-url": {
    method: "POST",
    url: "https://urlid12345678901234567890123456.lambda-url.us-west-2.on.aws/my/path?parameter1=value1&parameter1=value2&parameter2=value",
    headers: { header1: "value1", header2: "value1,value2", cookie: "cookie1; cookie2" },
    body: "Hello from client!",
    address: "123.123.123.123",
  },
  "http-api-v1": {
    method: "GET",
    url: "https://id.execute-api.us-east-1.amazonaws.com/my/path?parameter1=value1&parameter1=value2&parameter2=value",
    headers: { header1: "value1", header2: "value1, value2" },
    address: "192.0.2.1",
  },
  "http-api-v2": {
    method: "POST",
    url: "https://id.execute-api.us-east-1.amazonaws.com/my/path?parameter1=value1&parameter1=value2&parameter2=value",
    headers: { header1: "value1", header2: "value1,value2", cookie: "cookie1; cookie2" },
    body: "Hello from Lambda",
    address: "192.0.2.1",
  },
  "rest-api-v1": {
    method: "GET",
    url: "https://id.execute-api.us-east-1.amazonaws.com/my/path?parameter1=value1&parameter1=value2&parameter2=value",
    headers: { header1: "value1", header2: "value1, value2" },
    body: "",
    address: "192.0.2.1",
  },
  "load-balancer": {
    method: "GET",
    url: "http://lambda-alb-123578498.us-east-1.elb.amazonaws.com/lambda?query=1234ABCD",
    body: "",
    address: "72.12.164.125",
  },
  "load-balancer-multi-value": {
    method: "GET",
    url: "https://lambda-alb-123578498.us-east-1.elb.amazonaws.com/lambda?myKey=val1&myKey=val2",
    headers: { cookie: "name1=value1; name2=value2" },
    address: "72.12.164.125",
  },
};

test.each(Object.entries(fronts))(
  "an event of the front %s becomes the request that was made",
  async (name, asked) => {
    const payload = await invoke("http", name);
    const [prelude = "", body] = payload.split("\0".repeat(8));
    expect(JSON.parse(prelude)).toMatchObject({ statusCode: 200 });
    expect(JSON.parse(body ?? JSON.parse(prelude).body)).toMatchObject(asked);
  },
);

test("of a standard queue's batch, what fails is told by its id", async () => {
  expect(JSON.parse(await invoke("worker", "sqs-standard"))).toEqual({
    batchItemFailures: [{ itemIdentifier: "2e1424d4-f796-459a-8184-9c92662be6da" }],
  });
});

test("a batch of a FIFO queue is worked as well", async () => {
  expect(JSON.parse(await invoke("worker", "sqs-fifo"))).toEqual({ batchItemFailures: [] });
});

test.each(["scheduler", "scheduler-input"])(
  "a schedule ticks, whatever its input says (%s)",
  async (name) => {
    expect(JSON.parse(await invoke("schedule", name))).toMatchObject({ fired: 0 });
  },
);

test("every documented event has a test", () => {
  const named = [...Object.keys(fronts), "sqs-standard", "sqs-fifo", "scheduler", "scheduler-input"];
  expect(readdirSync(folder).toSorted()).toEqual(named.map((name) => `${name}.json`).toSorted());
});
