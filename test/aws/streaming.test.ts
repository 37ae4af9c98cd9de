import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildApp, type BuiltApp } from "../support/build.ts";
import { type Lambda, startLambda } from "../support/lambda/lambda.ts";

let app: BuiltApp;
let lambda: Lambda;

beforeAll(async () => {
  app = await buildApp(path.join(import.meta.dirname, "fixtures/edges.ts"));
  lambda = await startLambda({ entry: app.entry, handler: "http" });
});
afterAll(async () => {
  await lambda[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

const get = (route: string, init?: RequestInit) => fetch(`${lambda.url}/api/${route}`, init);

/** Asks the sandbox while it is at work, and lets go on what waits at the gate of that name. */
async function witness(gate = ""): Promise<{ pulled: number; gates: string[] }> {
  const line = lambda.output.findLast((line) => line.includes("witness "));
  const { port } = JSON.parse(line?.split("witness ")[1] ?? "{}");
  return (await fetch(`http://127.0.0.1:${port}/${gate}`)).json();
}

/** A client that takes the headers and then reads nothing. */
async function openUnread(route: string): Promise<http.IncomingMessage> {
  const request = http.get(`${lambda.url}/api/${route}`);
  return (await once(request, "response"))[0];
}

/** The count of chunks that the body was asked for, once it no longer grows. */
async function settledCount(): Promise<number> {
  let count = -1;
  for (let unchanged = 0; unchanged < 25;) {
    const { pulled } = await witness();
    unchanged = pulled === count ? unchanged + 1 : 0;
    count = pulled;
  }
  return count;
}

test("headers leave before the body, and each piece of the body before the next", async () => {
  const response = await get("pieces");
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  await witness("first");
  expect(await reader?.read()).toMatchObject({ value: "data: 1\n\n" });
  await witness("second");
  expect(await reader?.read()).toMatchObject({ value: "data: 2\n\n" });
  expect(await reader?.read()).toMatchObject({ done: true });
});

test("a client that does not read stops the body, and then gets all of it", async () => {
  const response = await openUnread("flood");
  const pulled = await settledCount();
  expect(pulled).toBeGreaterThan(0);
  expect(pulled).toBeLessThan(512);

  let bytes = 0;
  for await (const chunk of response) bytes += chunk.length;
  expect(bytes).toBe(1_024 * 64 * 1024);
});

test("an event stream that errors ends with an error frame, and the sandbox lives on", async () => {
  const boot = await (await get("boot")).text();
  const response = await get("breaks-events");
  expect(await response.text()).toBe(
    'event: metadata\ndata: {}\n\nevent: error\ndata: {"error":"stream processing failed"}\n\nevent: end\ndata: {}\n\n',
  );
  expect(await (await get("boot")).text()).toBe(boot);
  expect(lambda.output.join("\n")).toContain("Error: a bug");
});

test("any other body that errors is broken off after what it had given, and the sandbox lives on", async () => {
  const boot = await (await get("boot")).text();
  const response = await get("breaks-bytes");
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  expect(await reader?.read()).toMatchObject({ value: "first" });
  await expect(reader?.read()).rejects.toThrow();
  expect(await (await get("boot")).text()).toBe(boot);
  expect(lambda.reports).toContainEqual(
    expect.objectContaining({ status: "error", error: expect.objectContaining({ errorMessage: "a bug" }) }),
  );
});

test("a body that errors before its first byte is broken off, and the sandbox lives on", async () => {
  const boot = await (await get("boot")).text();
  await expect(get("breaks-at-once").then((response) => response.text())).rejects.toThrow();
  expect(await (await get("boot")).text()).toBe(boot);
});

test("a stream that was cut is broken off, so that its client comes back, and the sandbox lives on", async () => {
  const boot = await (await get("boot")).text();
  const response = await get("cut-events");
  await expect(response.text()).rejects.toThrow();
  expect(await (await get("boot")).text()).toBe(boot);
  expect(lambda.reports).toContainEqual(
    expect.objectContaining({ status: "error", error: expect.objectContaining({ errorType: "StreamCut" }) }),
  );
});

test.each([["throws"], ["undefined"], ["text"], ["error-response"], ["bad-header"]])(
  "a door that answers with nothing usable (%s) gives a 500 with a JSON body",
  async (route) => {
    const response = await get(route);
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({ error: "internal", detail: "Internal Server Error" });
  },
);

test("what a door threw is in the log, not in the response", async () => {
  const printed = lambda.output.length;
  expect(await (await get("throws")).text()).not.toContain("a bug");
  expect(lambda.output.slice(printed).join("\n")).toContain("Error: a bug");
});

test.each([
  ["empty", 200],
  ["empty-text", 200],
  ["empty-chunks", 200],
  ["no-content", 204],
  ["moved", 302],
  ["not-modified", 304],
])("a response without a body (%s) is answered at once", async (route, status) => {
  const response = await get(route, { redirect: "manual" });
  expect([response.status, await response.text()]).toEqual([status, ""]);
});

test("an event stream without events ends", async () => {
  const response = await get("empty-events");
  expect([response.status, (await response.text()).trim()]).toEqual([200, ""]);
});

test.each([["cookies"], ["no-content-cookies"]])(
  "all cookies of a response arrive as they were set (%s)",
  async (route) => {
    const response = await get(route);
    expect(response.headers.getSetCookie()).toEqual(["a=1; Path=/", "b=2%20; HttpOnly"]);
  },
);

test("HEAD gets the headers alone, OPTIONS reaches the app", async () => {
  const head = await get("flood", { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
  expect(await (await get("echo", { method: "OPTIONS" })).json()).toMatchObject({ method: "OPTIONS" });
});

test("the request keeps its path, query, method, headers, cookies and body", async () => {
  const response = await get("some/path%20x?a=1&a=2&b=%2F%20", {
    method: "PATCH",
    headers: { "content-type": "text/plain", "x-custom": "ümlaut", cookie: "a=1; b=2" },
    body: "héllo",
  });
  const echoed = await response.json();
  expect(new URL(echoed.url)).toMatchObject({ pathname: "/api/some/path%20x", search: "?a=1&a=2&b=%2F%20" });
  expect(echoed).toMatchObject({
    method: "PATCH",
    headers: { "content-type": "text/plain", "x-custom": "ümlaut", cookie: "a=1; b=2" },
    body: "héllo",
  });
});

test("the address is the one that AWS saw, whatever the client claims", async () => {
  const response = await get("echo", { headers: { "x-forwarded-for": "203.0.113.7" } });
  expect(await response.json()).toMatchObject({ address: "127.0.0.1" });
});

test("a body of 4 MB comes back byte for byte", async () => {
  const sent = randomBytes(4 * 1024 * 1024);
  const response = await get("bytes", { method: "POST", body: sent });
  const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  expect(digest(new Uint8Array(await response.arrayBuffer()))).toBe(digest(sent));
});

test("a client that leaves costs the next one nothing", async () => {
  const leave = new AbortController();
  await get("pieces", { signal: leave.signal });
  leave.abort();
  await witness("first");
  await expect.poll(witness).toMatchObject({ gates: expect.arrayContaining(["second"]) });
  await witness("second");
  expect((await get("boot")).status).toBe(200);
});
