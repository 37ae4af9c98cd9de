import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import path from "node:path";
import { Client } from "@langchain/langgraph-sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildApp, type BuiltApp } from "../support/build.ts";
import { httpApiEvent, loadBalancerEvent, restApiEvent } from "../support/lambda/events.ts";
import { type Lambda, startLambda } from "../support/lambda/lambda.ts";

const urlOfFunction = "abc.lambda-url.eu-central-1.on.aws";
const lambdaBytes = 6_291_556;
const endOfPrelude = "\0".repeat(8);

let app: BuiltApp;

beforeAll(async () => {
  app = await buildApp(path.join(import.meta.dirname, "fixtures/edges.ts"));
});
afterAll(() => app[Symbol.asyncDispose]());

const start = (env: Record<string, string> = {}) => startLambda({ entry: app.entry, handler: "http", env });

describe.each([
  ["a handler that could stream", {}],
  ["a runtime that cannot stream", { AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA: "1" }],
])("%s", (_case, env) => {
  let lambda: Lambda;

  beforeAll(async () => {
    lambda = await start(env);
  });
  afterAll(() => lambda[Symbol.asyncDispose]());

  const invoke = async (event: unknown) => JSON.parse(await lambda.invoke(event));

  test("answers an HTTP API with one result", async () => {
    const { statusCode, headers, isBase64Encoded, body } = await invoke(httpApiEvent());
    expect({ statusCode, headers, isBase64Encoded }).toEqual({
      statusCode: 200,
      headers: { "content-type": "application/json" },
      isBase64Encoded: false,
    });
    expect(JSON.parse(body)).toMatchObject({
      url: "https://abc.execute-api.eu-central-1.amazonaws.com/api/echo?a=1&a=2&b=%2F%20",
      address: "203.0.113.7",
    });
  });

  test("answers a REST API with one result", async () => {
    const { statusCode, multiValueHeaders, body } = await invoke(restApiEvent());
    expect({ statusCode, multiValueHeaders }).toEqual({
      statusCode: 200,
      multiValueHeaders: { "content-type": ["application/json"] },
    });
    expect(JSON.parse(body)).toMatchObject({
      url: "https://abc.execute-api.eu-central-1.amazonaws.com/api/echo?a=1&a=2&b=%2F+",
      address: "203.0.113.7",
    });
  });

  test.each([
    [true, "multiValueHeaders", ["application/json"]],
    [false, "headers", "application/json"],
  ])(
    "answers a load balancer with the kind of headers that it sends (multiple: %s)",
    async (multiple, kind, type) => {
      const result = await invoke(loadBalancerEvent({ multiple }));
      expect(result).toMatchObject({ statusCode: 200, [kind]: { "content-type": type } });
      expect(JSON.parse(result.body)).toMatchObject({ address: "203.0.113.7" });
    },
  );

  test("sends all cookies, in the way of each front", async () => {
    const cookies = ["a=1; Path=/", "b=2%20; HttpOnly"];
    expect(await invoke(httpApiEvent({ rawPath: "/api/cookies" }))).toMatchObject({ cookies });
    const ofRest = await invoke(restApiEvent({ path: "/api/cookies" }));
    expect(ofRest).toMatchObject({ multiValueHeaders: { "set-cookie": cookies } });
    const ofBalancer = await invoke(loadBalancerEvent({ multiple: true }, { path: "/api/cookies" }));
    expect(ofBalancer).toMatchObject({ multiValueHeaders: { "set-cookie": cookies } });
  });

  test("takes and gives bytes as base64", async () => {
    const sent = Buffer.concat([Buffer.from([0xff, 0xfe]), randomBytes(1_000)]).toString("base64");
    const event = restApiEvent({ httpMethod: "POST", path: "/api/bytes", body: sent, isBase64Encoded: true });
    expect(await invoke(event)).toMatchObject({ body: sent, isBase64Encoded: true });
  });

  test("collects an event stream, with the error that ends it", async () => {
    const { body } = await invoke(httpApiEvent({ rawPath: "/api/breaks-events" }));
    expect(body).toMatch(/^event: metadata\n.*event: error\n.*event: end\ndata: \{\}\n\n$/s);
  });

  test("gives what there is of an event stream that was cut, so that nobody asks for the run once more", async () => {
    expect(await invoke(httpApiEvent({ rawPath: "/api/cut-events" }))).toMatchObject({
      statusCode: 200,
      body: expect.stringMatching(/^event: metadata\n.*event: error\ndata: \{"error":"unavailable",.*\n\n$/s),
    });
  });

  test("says of other answers that were cut where their run is, by a status that clients take for the end", async () => {
    const { statusCode, headers, body } = await invoke(httpApiEvent({ rawPath: "/api/cut-json" }));
    expect({ statusCode, headers }).toEqual({
      statusCode: 408,
      headers: { "content-type": "application/json", location: "/threads/t/runs/r/join" },
    });
    expect(JSON.parse(body)).toEqual({
      error: "unavailable",
      detail: expect.stringContaining("The run goes on in the background"),
    });
  });

  test.each([
    [
      "an HTTP API",
      lambdaBytes,
      (path: string, query: string) => httpApiEvent({ rawPath: path, rawQueryString: query }),
    ],
    ["a load balancer", 1_000_000, (path: string, query: string) => balanced(path, query)],
  ])("keeps an answer within what %s takes", async (_front, maxBytes, ask) => {
    const events = await lambda.invoke(ask("/api/many-events", `bytes=${maxBytes * 1.1}`));
    expect(Buffer.byteLength(events)).toBeLessThanOrEqual(maxBytes);
    expect(Buffer.byteLength(events)).toBeGreaterThan(maxBytes * 0.9);
    const { statusCode, body } = JSON.parse(events);
    const frames = body.split("\n\n");
    expect([statusCode, frames.pop(), frames.pop()]).toEqual([
      200,
      "",
      expect.stringMatching(/^event: error\ndata: \{"error":"stream_too_large",.*Location"\}$/),
    ]);
    expect(new Set(frames)).toEqual(new Set(['event: values\ndata: {"a":"\\n"}']));

    // Each of its quotes takes two bytes.
    const json = await invoke(ask("/api/much-json", `bytes=${maxBytes * 0.6}`));
    expect([json.statusCode, JSON.parse(json.body)]).toEqual([
      400,
      { error: "response_too_large", detail: expect.stringContaining("'select', 'limit'") },
    ]);
    const whole = await invoke(ask("/api/much-json", `bytes=${maxBytes * 0.4}`));
    expect([whole.statusCode, whole.body.length]).toEqual([200, expect.any(Number)]);
  });

  test("counts bytes as they are sent, in base64", async () => {
    const bytes = (length: number) => Buffer.alloc(length, 0xff).toString("base64");
    const ask = (length: number) =>
      restApiEvent({ httpMethod: "POST", path: "/api/bytes", body: bytes(length), isBase64Encoded: true });
    expect(await invoke(ask(4_500_000))).toMatchObject({ statusCode: 200, isBase64Encoded: true });
    expect(await invoke(ask(5_000_000))).toMatchObject({ statusCode: 400, isBase64Encoded: false });
  });

  test("fails when a body breaks off, and serves the next event", async () => {
    await expect(invoke(httpApiEvent({ rawPath: "/api/breaks-bytes" }))).rejects.toThrow("Error");
    expect(await invoke(httpApiEvent({ rawPath: "/api/boot" }))).toMatchObject({ statusCode: 200 });
    expect(lambda.inits).toBe(1);
  });

  test("answers a bug in a door with a 500", async () => {
    expect(await invoke(httpApiEvent({ rawPath: "/api/throws" }))).toMatchObject({
      statusCode: 500,
      body: '{"error":"internal","detail":"Internal Server Error"}',
    });
  });

  test("refuses what is no HTTP event", async () => {
    await expect(lambda.invoke({ Records: [] })).rejects.toThrow("TypeError");
  });
});

test.each([[408], [400]])("the official SDK does not ask again for a %i", async (status) => {
  let asked = 0;
  const server = createServer((_request, response) => {
    asked += 1;
    response.writeHead(status).end("{}");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const client = new Client({ apiUrl: `http://127.0.0.1:${port}` });
  await expect(client.runs.wait(null, "agent")).rejects.toThrow(`HTTP ${status}`);
  server.close();
  expect(asked).toBe(1);
});

const balanced = (path: string, query: string) =>
  loadBalancerEvent(
    { multiple: false },
    { path, queryStringParameters: Object.fromEntries(new URLSearchParams(query)) },
  );

const functionUrlEvent = () =>
  httpApiEvent({
    rawPath: "/api/boot",
    requestContext: { ...httpApiEvent().requestContext, domainName: urlOfFunction },
  });

test.each([
  ["a Function URL", undefined, functionUrlEvent(), true],
  ["a Function URL that does not stream", "never", functionUrlEvent(), false],
  ["a REST API", undefined, restApiEvent(), false],
  ["a REST API that streams", "always", restApiEvent(), true],
  ["an HTTP API", "always", httpApiEvent(), false],
  ["an HTTP API with payload format 1.0", "always", { ...restApiEvent(), version: "1.0" }, false],
  ["a load balancer", "always", loadBalancerEvent({ multiple: true }), false],
])(
  "of the fronts, %s (streaming: %s) gets a stream only if it can",
  async (_front, streaming, event, isStream) => {
    await using lambda = await start(streaming === undefined ? {} : { STREAMING: streaming });
    const payload = await lambda.invoke(event);
    expect(payload.includes(endOfPrelude)).toBe(isStream);
  },
);

const queue = { RUN_QUEUE_URL: "https://sqs.eu-central-1.amazonaws.com/123456789012/runs" };
const left = { path: "/api/left" };

test.each([
  ["an HTTP API", queue, httpApiEvent({ rawPath: left.path }), 29],
  ["an HTTP API with payload format 1.0", queue, { ...restApiEvent(left), version: "1.0" }, 29],
  ["a REST API", queue, restApiEvent(left), 28],
  ["a REST API with another time-out", { ...queue, FRONT_TIMEOUT: "120" }, restApiEvent(left), 119],
  ["a load balancer", queue, loadBalancerEvent({ multiple: true }, left), 300],
  ["an API that has no workers behind it", {}, httpApiEvent({ rawPath: left.path }), 300],
])("the app has as long for its answer as %s waits", async (_front, env, event, seconds) => {
  await using lambda = await startLambda({ entry: app.entry, handler: "http", env, timeoutMs: 300_000 });
  const { body } = JSON.parse(await lambda.invoke(event));
  const { left } = JSON.parse(body);
  expect(left).toBeLessThanOrEqual(seconds * 1_000);
  expect(left).toBeGreaterThan((seconds - 10) * 1_000);
});

test("a REST API that streams waits for as long as the function may take", async () => {
  const env = { ...queue, STREAMING: "always" };
  await using lambda = await startLambda({ entry: app.entry, handler: "http", env, timeoutMs: 300_000 });
  const [, body = ""] = (await lambda.invoke(restApiEvent(left))).split(endOfPrelude);
  expect(JSON.parse(body).left).toBeGreaterThan(200_000);
});
