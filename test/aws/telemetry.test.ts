/** Telemetry that the environment asks for leaves before the sandbox is frozen, from the very bundle that is deployed. */

import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { buildApp, type BuiltApp } from "../support/build.ts";
import { startCollector, type Collector } from "../support/collector.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { startLambda, type Lambda } from "../support/lambda/lambda.ts";
import { startSqs } from "../support/queues/sqs.ts";

const fixture = path.join(import.meta.dirname, "fixtures/background.ts");
const PROVIDERS = ["@opentelemetry/sdk-trace-base", "@opentelemetry/exporter-metrics-otlp-http"];

let app: BuiltApp;
let database: TestDatabase;
let collector: Collector;

beforeAll(async () => {
  app = await buildApp(fixture);
});
afterAll(() => app[Symbol.asyncDispose]());
beforeEach(async () => {
  [database, collector] = await Promise.all([testDatabase(), startCollector()]);
});
afterEach(async () => {
  for (const resource of [database, collector]) await resource[Symbol.asyncDispose]();
});

function start(
  handler: string,
  env: Readonly<Record<string, string>> = {},
  { entry } = app,
): Promise<Lambda> {
  const OTEL_EXPORTER_OTLP_ENDPOINT = collector.url;
  const settings = { DATABASE_URL: database.url, FUNCTION_KEY: "key", OTEL_EXPORTER_OTLP_ENDPOINT };
  return startLambda({ entry, handler, env: { ...settings, ...env } });
}

const ask = (lambda: Lambda, route: string) =>
  fetch(`${lambda.url}/api/graphs/shout/${route}?code=key`, {
    method: "POST",
    body: JSON.stringify({ input: { text: "traced" } }),
  });

test("a run's spans and figures have left before the freeze, under the name that was set", async () => {
  const env = {
    OTEL_SERVICE_NAME: "agents",
    OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test",
    OTEL_EXPORTER_OTLP_HEADERS: "x-tenant=ada",
    AWS_LAMBDA_FUNCTION_NAME: "agents-http",
    AWS_REGION: "eu-central-1",
  };
  await using lambda = await start("http", env);
  const answer = await ask(lambda, "stream");
  expect(await answer.text()).toContain("traced!");
  await expect.poll(() => lambda.isFrozen).toBe(true);
  expect(collector.spans()).toEqual(
    expect.arrayContaining([
      "POST /api/graphs/shout/stream",
      "run shout",
      "superstep",
      "node shout",
      "checkpoint write",
    ]),
  );
  expect(collector.metrics()).toEqual(
    expect.arrayContaining(["langgraph.runs", "langgraph.run.time_to_first_event"]),
  );
  expect(collector.headers[0]).toMatchObject({ "x-tenant": "ada" });
  expect(collector.resources()[0]).toMatchObject({
    "service.name": "agents",
    "service.instance.id": expect.any(String) as unknown,
    "deployment.environment.name": "test",
    "faas.name": "agents-http",
    "cloud.provider": "aws",
    "cloud.region": "eu-central-1",
  });
});

test("those of workers and of schedules have as well", async () => {
  await using sqs = await startSqs();
  await using http = await start("http", sqs.env);
  await using worker = await start("worker", sqs.env);
  await using schedule = await start("schedule", sqs.env);
  expect((await ask(http, "runs")).status).toBe(202);
  await worker.invoke(await sqs.receive());
  await expect.poll(() => worker.isFrozen).toBe(true);
  expect(collector.spans()).toEqual(
    expect.arrayContaining(["send langgraph-runs", "process langgraph-runs", "run shout"]),
  );
  await database.query(
    "update langgraph.runs set status = 'pending', due_at = now() - interval '1 hour', woken_at = now() - interval '1 hour'",
  );
  await schedule.invoke({});
  await expect.poll(() => schedule.isFrozen).toBe(true);
  expect(collector.spans()).toContain("tick");
});

test("a deployment without the packages serves, and its log names what is missing", async () => {
  await using lacking = await buildApp(fixture, { missing: PROVIDERS });
  await using lambda = await start("http", {}, lacking);
  expect((await ask(lambda, "invoke")).status).toBe(200);
  const line = lambda.output.find((text) => text.includes("OpenTelemetry"));
  expect(JSON.parse(line ?? "{}")).toMatchObject({
    level: "error",
    msg: "OpenTelemetry could not be started; the app serves without it",
    err: {
      message: expect.stringMatching(
        /^OTEL_EXPORTER_OTLP_ENDPOINT needs the package @opentelemetry\/sdk-trace-base: npm install /,
      ) as unknown,
    },
  });
});

test("a collector that is away costs no answer, and is told of in the log", async () => {
  await using lambda = await start("http", { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" });
  expect((await ask(lambda, "invoke")).status).toBe(200);
  await expect.poll(() => lambda.isFrozen, { timeout: 20_000 }).toBe(true);
  await expect
    .poll(() => lambda.output.join("\n"), { timeout: 20_000 })
    .toContain('"msg":"Traces and metrics could not be delivered in time"');
});

test("a collector that takes no JSON is told of in the log", async () => {
  await using other = await startCollector(415);
  await using lambda = await start("http", { OTEL_EXPORTER_OTLP_ENDPOINT: other.url });
  expect((await ask(lambda, "invoke")).status).toBe(200);
  await expect.poll(() => lambda.output.join("\n")).toContain('"msg":"OpenTelemetry has a problem"');
});

test.each([
  ["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "must be one of http/json, http/protobuf"],
  ["OTEL_TRACES_EXPORTER", "console", "must be one of otlp, none"],
])("%s=%s is not taken and ignored", async (name, value, problem) => {
  await using lambda = await start("http", { [name]: value });
  expect((await ask(lambda, "invoke")).status).toBe(200);
  expect(lambda.output.join("\n")).toContain(`${name}: ${problem}`);
  expect(collector.spans()).toEqual([]);
});

test("what makes others send by HTTP is taken, and ours is sent as it always is: in JSON", async () => {
  await using lambda = await start("http", { OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf" });
  expect((await ask(lambda, "invoke")).status).toBe(200);
  await expect.poll(() => lambda.isFrozen).toBe(true);
  expect(collector.spans()).toContain("run shout");
  expect(collector.headers[0]).toMatchObject({ "content-type": "application/json" });
});

test("telemetry that is disabled is not started", async () => {
  await using lambda = await start("http", { OTEL_SDK_DISABLED: "true" });
  expect((await ask(lambda, "invoke")).status).toBe(200);
  await expect.poll(() => lambda.isFrozen).toBe(true);
  expect([...collector.spans(), ...collector.metrics()]).toEqual([]);
});
