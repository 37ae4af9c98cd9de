import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BuiltApp, buildApp } from "../support/build.ts";
import { type AzureHost, startAzureHost } from "../support/azure-host/host.ts";
import { triggerOf } from "../support/azure-host/protocol.ts";

let app: BuiltApp;
let host: AzureHost;

beforeAll(async () => {
  app = await buildApp(path.join(import.meta.dirname, "fixtures/edges.ts"));
  host = await startAzureHost({ entry: app.entry, keys: false });
});
afterAll(async () => {
  await host[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

const get = (route: string, init?: RequestInit) => fetch(`${host.url}/${route}`, init);

/** What the app's doors saw. */
async function seen(): Promise<{ pulled: number }> {
  return (await get("seen")).json();
}

/** A client that takes the headers and then reads nothing. */
async function openUnread(route: string): Promise<http.IncomingMessage> {
  const request = http.get(`${host.url}/${route}`);
  return (await once(request, "response"))[0];
}

/** The count of chunks that a producer was asked for, once it no longer grows. */
async function settledCount(): Promise<number> {
  let count = -1;
  for (let unchanged = 0; unchanged < 25;) {
    const { pulled } = await seen();
    unchanged = pulled === count ? unchanged + 1 : 0;
    count = pulled;
  }
  return count;
}

/** How the host saw an invocation end. */
const outcomeOf = (id: unknown) =>
  expect.poll(() => host.outcomes.find(({ invocationId }) => invocationId === id));

const idOf = (response: Response) => response.headers.get("x-ms-invocation-id");

test("each of the app's functions is registered with its route, methods and key level", () => {
  const triggers = host.functions.map((fn) => ({ ...triggerOf(fn).binding, name: fn.name }));
  expect(triggers).toMatchObject([
    { name: "graph_edge_invoke", route: "graphs/edge/invoke", methods: ["POST"], authLevel: "admin" },
    {
      name: "graph_edge_state",
      route: "graphs/edge/threads/{thread_id}/state",
      methods: ["GET"],
      authLevel: "function",
    },
    { name: "health", route: "health", methods: ["GET"], authLevel: "anonymous" },
    { name: "platform_api", route: "{*path}", authLevel: "function" },
    { name: "run_worker", type: "queueTrigger" },
    { name: "tick", type: "timerTrigger" },
  ]);
});

test("the catch-all sorts after every other HTTP function, so the host tries it last", () => {
  const names = host.functions
    .filter((fn) => triggerOf(fn).binding.type === "httpTrigger")
    .map(({ name }) => name.toUpperCase());
  expect(names.toSorted().at(-1)).toBe("PLATFORM_API");
});

test.each([["throws"], ["undefined"], ["null"], ["text"], ["error-response"], ["bad-header"]])(
  "a door that answers with nothing usable (%s) gives a 500 with a JSON body",
  async (route) => {
    const response = await get(route);
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({ error: "internal", detail: "Internal Server Error" });
  },
);

test("what a door threw is in the log, not in the response", async () => {
  await get("throws");
  expect(host.output.join("\n")).toContain("Error: a bug");
});

test.each([
  ["empty", 200],
  ["empty-stream", 200],
  ["no-content", 204],
  ["not-modified", 304],
])("a response without a body (%s) is answered at once", async (route, status) => {
  const response = await get(route);
  expect([response.status, await response.text()]).toEqual([status, ""]);
});

test("an event stream that errors ends with an error frame, and the host records the failure", async () => {
  const response = await get("breaks-events");
  expect(await response.text()).toBe(
    'event: metadata\ndata: {}\n\nevent: error\ndata: {"error":"stream processing failed"}\n\nevent: end\ndata: {}\n\n',
  );
  await outcomeOf(idOf(response)).toMatchObject({ error: expect.stringContaining("Error: a bug") });
});

test("any other body that errors is broken off after what it had given", async () => {
  const response = await get("breaks-bytes");
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  expect(await reader?.read()).toMatchObject({ value: "first" });
  await expect(reader?.read()).rejects.toThrow();
});

test("a stream cut at the time limit is broken off, and the invocation is a success", async () => {
  const response = await get("cut-events");
  await expect(response.text()).rejects.toThrow();
  await outcomeOf(idOf(response)).toMatchObject({ error: undefined });
});

test("headers leave before the first chunk of the body", async () => {
  const response = await get("waits?as=headers");
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  await get("release?as=headers");
  expect(await response.text()).toBe("released");
});

test("a client that does not read stops the producer", async () => {
  const { pulled: before } = await seen();
  const response = await openUnread("flood");
  const pulled = (await settledCount()) - before;
  expect(pulled).toBeGreaterThan(0);
  expect(pulled).toBeLessThan(512);

  let bytes = 0;
  for await (const chunk of response) bytes += chunk.length;
  expect(bytes).toBe(1_024 * 64 * 1024);
});

test("a cut does not wait for a client that does not read", async () => {
  const response = await openUnread("flood-then-cut");
  await settledCount();
  await get("release?as=flood-then-cut");
  await outcomeOf(response.headers["x-ms-invocation-id"]).toMatchObject({ error: undefined });
  await expect(response.toArray()).rejects.toThrow("aborted");
  expect(await seen()).not.toHaveProperty(["flood-then-cut.aborted"]);
});

test("a client that leaves in the middle of a stream aborts the signal and cancels the body", async () => {
  const leave = new AbortController();
  await get("waits?as=leaving", { signal: leave.signal });
  leave.abort();
  await expect.poll(seen).toMatchObject({ "leaving.aborted": "ClientLeft", "leaving.cancelled": true });
});

test("the invocation lasts until the producer that a client left behind is done", async () => {
  const leave = new AbortController();
  const id = idOf(await get("lingers", { signal: leave.signal }));
  leave.abort();
  await expect.poll(seen).toMatchObject({ "lingers.cancelling": true });
  expect(host.outcomes.map(({ invocationId }) => invocationId)).not.toContain(id);
  await get("release?as=lingers");
  await outcomeOf(id).toMatchObject({ error: undefined });
});

test("a client that leaves before the answer aborts the signal", async () => {
  const leave = new AbortController();
  const request = get("never", { signal: leave.signal });
  await expect.poll(seen).toMatchObject({ "never.began": true });
  leave.abort();
  await expect(request).rejects.toThrow();
  await expect.poll(seen).toMatchObject({ "never.aborted": "ClientLeft" });
});

test("a client that reads to the end aborts nothing", async () => {
  const response = await get("waits?as=patient");
  await get("release?as=patient");
  await response.text();
  expect(await seen()).not.toHaveProperty(["patient.aborted"]);
});

test("the request keeps its URL, with prefix and query, its method, headers and body", async () => {
  const response = await get("some/path?a=1&a=2&b=%2F%20", {
    method: "PATCH",
    headers: { "content-type": "text/plain", "x-custom": "ümlaut" },
    body: "héllo",
  });
  expect(await response.json()).toMatchObject({
    method: "PATCH",
    url: `${host.url}/some/path?a=1&a=2&b=%2F%20`,
    headers: { "content-type": "text/plain", "x-custom": "ümlaut" },
    body: "héllo",
  });
});

test.each([
  ["203.0.113.7:51234", "203.0.113.7"],
  ["10.9.9.9, 203.0.113.7:51234", "203.0.113.7"],
  ["[2001:db8::1]:51234", "2001:db8::1"],
  ["2001:db8::1", "2001:db8::1"],
])("of x-forwarded-for %s the app gets the address that Azure added", async (header, address) => {
  const response = await get("echo", { headers: { "x-forwarded-for": header } });
  expect(await response.json()).toMatchObject({ address });
});

test("a body of 4 MB comes back byte for byte", async () => {
  const sent = randomBytes(4 * 1024 * 1024);
  const response = await get("bytes", { method: "POST", body: sent });
  const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  expect(digest(new Uint8Array(await response.arrayBuffer()))).toBe(digest(sent));
});

test("a body that the app does not read does not keep its answer back", async () => {
  const response = await get("unread", { method: "POST", body: randomBytes(4 * 1024 * 1024) });
  expect([response.status, await response.text()]).toEqual([413, "not read"]);
});

test.each([["cookies"], ["no-content-cookies"]])(
  "all cookies of a response arrive as they were set (%s)",
  async (route) => {
    const response = await get(route);
    expect(response.headers.getSetCookie()).toEqual(["a=1; Path=/", "b=2%20; HttpOnly"]);
  },
);

test("HEAD gets the headers alone, OPTIONS reaches the app", async () => {
  const { pulled } = await seen();
  const head = await get("flood", { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
  expect(await seen()).toMatchObject({ pulled });
  expect(await (await get("echo", { method: "OPTIONS" })).json()).toMatchObject({ method: "OPTIONS" });
});
