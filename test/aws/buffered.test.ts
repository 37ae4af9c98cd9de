import { randomBytes } from "node:crypto";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildApp, type BuiltApp } from "../support/build.ts";
import { httpApiEvent, loadBalancerEvent, restApiEvent } from "../support/lambda/events.ts";
import { type Lambda, startLambda } from "../support/lambda/lambda.ts";

const urlOfFunction = "abc.lambda-url.eu-central-1.on.aws";
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
  ["a load balancer", "always", loadBalancerEvent({ multiple: true }), false],
])(
  "of the fronts, %s (streaming: %s) gets a stream only if it can",
  async (_front, streaming, event, isStream) => {
    await using lambda = await start(streaming === undefined ? {} : { STREAMING: streaming });
    const payload = await lambda.invoke(event);
    expect(payload.includes(endOfPrelude)).toBe(isStream);
  },
);
