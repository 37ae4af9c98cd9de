import { randomUUID } from "node:crypto";
import { gzipSync } from "node:zlib";
import { LangGraphApp } from "langgraph-functions";
import { afterAll, beforeAll, expect, test } from "vitest";
import { reporting, shout } from "../support/graphs.ts";
import { type Answer, startServer, type TestServer } from "../support/server.ts";
import { allRoutes } from "../http/all-routes.ts";

const graphs = [
  { name: "shout", graph: shout },
  { name: "reporting", graph: reporting },
];
const thread_id = randomUUID();
const cron_id = randomUUID();

let server: TestServer;

beforeAll(async () => {
  server = await startServer({ graphs });
  await server.post("/threads", { thread_id });
  await server.post("/store/items", { namespace: ["a"], key: "a", value: {} }, { method: "PUT" });
});
afterAll(async () => server[Symbol.asyncDispose]());

/** Every route that reads a body, but JSON-RPC; for things that exist where one request can make them. */
const taking = allRoutes([{ name: "shout" }])
  .filter((route) => /^(post|put|patch|delete \/store) /.test(`${route} `) || route === "delete /store/items")
  .filter((route) => !/\/(cancel|copy|latest|mcp|a2a\/.*)$/.test(route) || route === "post /runs/cancel")
  .map((route): [string, string] => {
    const [method = "", path = ""] = route.split(" ");
    const values: Record<string, string> = { thread_id, assistant_id: "shout", cron_id };
    return [
      method.toUpperCase(),
      path.replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name] ?? randomUUID()),
    ];
  });
const agents: readonly [string, (sent: string) => string][] = [
  [
    "/mcp",
    (sent) =>
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"shout","arguments":{"text":${sent}}}}`,
  ],
  [
    "/a2a/shout",
    (sent) =>
      `{"jsonrpc":"2.0","id":1,"method":"message/send","params":{"message":{"kind":"message","role":"user","messageId":"1","parts":[{"kind":"data","data":${sent}}]}}}`,
  ],
];

async function send(
  [method, path]: readonly [string, string],
  body: BodyInit,
  headers = {},
): Promise<Answer> {
  return server.get(path, {
    method,
    body,
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...headers,
    },
  });
}

/** A minimum that most routes take, with something in every place where clients may put what they like. */
function around(text: string): string {
  const free = ["input", "metadata", "context", "values", "value", "filter", "params", "command"];
  const fields = free.map((name) => `"${name}":${text}`).join(",");
  return `{"assistant_id":"shout","graph_id":"shout","schedule":"0 0 1 1 *",${fields},"config":{"configurable":${text},"metadata":${text}}}`;
}

/** One of each way in which bodies are read. */
const ways = taking.filter(([, path]) =>
  /shout\/invoke|^\/threads$|crons\/search|runs\/batch|commands|^\/runs\/wait/.test(path),
);

const deep = (depth: number) => "[".repeat(depth) + "]".repeat(depth);

test.each(ways)("%s %s refuses what is nested a megabyte deep", async (...route) => {
  for (const body of [deep(500_000), around(`{"a":${deep(20_000)}}`)]) {
    const { status, text } = await send(route, body);
    expect([400, 404, 422], text).toContain(status);
  }
});

test.each(ways)("%s %s refuses a hundred thousand members, and as many items", async (...route) => {
  const members = Array.from({ length: 100_000 }, (_, index) => `"${index}":0`).join(",");
  for (const body of [`{${members}}`, `{"input":{${members}}}`, `[${"{},".repeat(300_000)}{}]`]) {
    const { status, text } = await send(route, body);
    expect([400, 404, 422], text).toContain(status);
  }
});

test.each(taking)("%s %s refuses a body that is compressed, and says so", async (...route) => {
  const answer = await send(route, gzipSync(around("{}")), { "content-encoding": "gzip" });
  expect([answer.status, answer.body]).toEqual([
    415,
    {
      error: "unsupported_encoding",
      detail: "Content-Encoding: gzip is not taken; send the body as it is",
    },
  ]);
  const plain = await send(route, around("{}"), { "content-encoding": "identity" });
  expect(plain.status).not.toBe(415);
});

test.each(taking)("%s %s refuses what is not UTF-8", async (...route) => {
  const { status, text } = await send(route, Buffer.from(around('{"a":"\xff"}'), "latin1"));
  expect([status, text]).toEqual([expect.toSatisfy((code) => code === 400 || code === 404), text]);
});

test.each(taking)("%s %s cannot change what all objects inherit", async (...route) => {
  const evil = '{"polluted":1}';
  const hostile = `{"__proto__":${evil},"constructor":{"prototype":${evil}},"a":{"__proto__":${evil}}}`;
  for (const body of [
    around(hostile),
    hostile,
    `[${around(hostile)}]`,
    `{"assistant_id":"reporting","input":${hostile},"config":{"configurable":${hostile}}}`,
  ]) {
    expect((await send(route, body)).status).toBeLessThan(500);
  }
  expect("polluted" in {}).toBe(false);
});

test.each(agents)("what is sent to POST %s has the same limits", async (path, body) => {
  const route = ["POST", path] as const;
  for (const sent of [
    `{"a":${deep(400_000)}}`,
    `{"a":${deep(20_000)}}`,
    `{"a":[${"0,".repeat(100_000)}0]}`,
  ]) {
    const { status, text } = await send(route, body(sent));
    expect(status).toBeLessThan(500);
    expect(text).toMatch(/exceeds maximum|too (deep|large)/i);
  }
  const hostile = '{"__proto__":{"polluted":1}}';
  expect((await send(route, body(hostile))).status).toBe(200);
  expect("polluted" in {}).toBe(false);
  expect((await send(route, gzipSync(body("{}")), { "content-encoding": "gzip" })).status).toBe(415);
});

const big = [{ role: "user", content: "x".repeat(10_001) }];
const run = { assistant_id: "shout" };
const stateful = `/threads/${thread_id}`;

test.each([
  ["/runs/wait", { ...run, input: { messages: big } }, "input"],
  ["/runs/wait", { ...run, input: { messages: big[0] } }, "input"],
  ["/runs/batch", [{ ...run, input: { messages: big } }], "input"],
  ["/runs/crons", { ...run, schedule: "0 0 1 1 *", input: { messages: big } }, "input"],
  [`${stateful}/runs`, { ...run, command: { update: { messages: big } } }, "command.update"],
  [`${stateful}/runs`, { ...run, command: { update: [["messages", big]] } }, "command.update"],
  [
    `${stateful}/runs`,
    { ...run, command: { goto: { node: "shout", input: { messages: big } } } },
    "command.goto.input",
  ],
  [
    `${stateful}/commands`,
    {
      id: 1,
      method: "input.respond",
      params: { interrupt_id: "a", response: 1, update: [["messages", big]] },
    },
    "params.update",
  ],
  [`${stateful}/state`, { values: { messages: big } }, "values"],
  [`${stateful}/state`, { values: [["messages", big]] }, "values"],
  ["/threads", { supersteps: [{ updates: [{ values: { messages: big } }] }] }, "supersteps.updates.values"],
  [
    "/threads",
    { supersteps: [{ updates: [{ command: { update: { messages: big } } }] }] },
    "supersteps.updates.command.update",
  ],
])("a message that is too long comes in by no way: POST %s %j", async (path, body, field) => {
  const { text } = await server.post(path, body);
  expect(text).toContain(`${field}.messages.0: 10001 characters (max 10000)`);
});

/** A body that never ends, and counts what is read of it. */
function endlessBody(bytes: number): {
  readonly body: ReadableStream<Uint8Array>;
  readonly read: () => number;
} {
  let read = 0;
  const chunk = new Uint8Array(bytes).fill(0x20);
  const source = {
    pull: (controller: ReadableStreamDefaultController<Uint8Array>) => {
      read += bytes;
      controller.enqueue(chunk);
    },
  };
  return { body: new ReadableStream(source, { highWaterMark: 0 }), read: () => read };
}

test("a body without a length, or with a wrong one, is cut off at the limit while it is read", async () => {
  await using app = new LangGraphApp({ limits: { maxBodyBytes: 10_000 } }).register({
    name: "shout",
    graph: shout,
  });
  app.doors({
    settings: {
      database: { url: "postgres://nowhere.invalid/x", poolSize: 1, migrate: false },
      logLevel: "silent",
    },
  });
  for (const length of [undefined, "5", "-1", "many"]) {
    const { body, read } = endlessBody(1_000);
    const headers = length === undefined ? {} : { "content-length": length };
    const init = { method: "POST", headers, body, duplex: "half" };
    const request = new Request("http://localhost/api/threads/search", init);
    const answer = await app.fetch(request, { authLevel: "admin" });
    expect([answer.status, await answer.json()]).toEqual([
      400,
      { error: "request_too_large", detail: "Request body too large: 11000 bytes (max 10000 bytes)" },
    ]);
    expect(read()).toBe(11_000);
  }
});
