import { afterAll, beforeAll, expect, test } from "vitest";
import { asking, counter, failing, shout, typed } from "../support/graphs.ts";
import { type Answer, startServer, type TestServer } from "../support/server.ts";

const limits = { maxBodyBytes: 200_000, maxMessageCharacters: 100 };
const doors = ["invoke", "stream"];

let server: TestServer;

beforeAll(async () => {
  const graphs = [
    { name: "shout", graph: shout },
    { name: "counter", graph: counter },
    { name: "asking", graph: asking },
    { name: "failing", graph: failing },
    { name: "typed", graph: typed },
    { name: "unstreamed", graph: shout, stream: false },
    { name: "broken", graph: async () => Promise.reject(new Error("secret of the loader")) },
  ];
  server = await startServer({ graphs, limits });
});

afterAll(async () => server[Symbol.asyncDispose]());

/** The answer has these and nothing else. */
function expectError(answer: Answer, status: number, error: string, detail: unknown): void {
  expect([answer.status, answer.body]).toEqual([status, { error, detail }]);
  expect(answer.headers.get("content-type")).toBe("application/json");
  expect(answer.headers.get("cache-control")).toBe("no-store");
}

function nested(depth: number): unknown {
  return depth === 0 ? 1 : [nested(depth - 1)];
}

test.each([
  "",
  " ",
  "{",
  '{"input":{}',
  "undefined",
  "{'input':1}",
  "\uFEFF",
  '{"a":1}{"b":2}',
  "NaN",
  "[1,]",
])("a body that is not JSON is refused: %j", async (body) => {
  for (const door of doors) {
    expectError(await server.post(`/graphs/shout/${door}`, body), 400, "invalid_json", "Invalid JSON body");
  }
});

test("a body that is not UTF-8 is refused", async () => {
  const body = Buffer.from('{"input":{"text":"\xff"}}', "latin1");
  const answer = await server.post("/graphs/shout/invoke", "", { body });
  expectError(answer, 400, "invalid_json", "The body is not UTF-8 text");
});

test("no body at all is refused", async () => {
  expectError(
    await server.post("/graphs/shout/invoke", "", { body: null }),
    400,
    "invalid_json",
    "Invalid JSON body",
  );
});

test("a body over its limit is refused, whether it says its length or not", async () => {
  const body = JSON.stringify({ input: { text: "x".repeat(limits.maxBodyBytes) } });
  const detail = `Request body too large: ${body.length} bytes (max 200000 bytes)`;
  const unsized = { body: new Blob([body]).stream(), duplex: "half" };
  for (const door of doors) {
    expectError(await server.post(`/graphs/shout/${door}`, body), 400, "request_too_large", detail);
  }
  const answer = await server.post("/graphs/shout/invoke", "", unsized);
  expectError(
    answer,
    400,
    "request_too_large",
    expect.stringMatching(/^Request body too large: \d+ bytes \(max 200000 bytes\)$/),
  );
});

test("a body at its limit is taken, and bytes are what counts", async () => {
  const empty = JSON.stringify({ input: { text: "" } }).length;
  const fitting = { input: { text: "ä".repeat((limits.maxBodyBytes - empty) / 2) } };
  expect((await server.post("/graphs/shout/invoke", fitting)).status).toBe(200);
  const longer = { input: { text: `${fitting.input.text}ä` } };
  expect((await server.post("/graphs/shout/invoke", longer)).status).toBe(400);
});

test.each(["input", "config", "metadata", "command"])(
  "%s has a limit of depth and of nodes",
  async (field) => {
    for (const door of doors) {
      const deep = { input: { text: "" }, [field]: { text: nested(32) } };
      const answer = await server.post(`/graphs/shout/${door}`, deep);
      expectError(answer, 400, "input_too_complex", "Input exceeds maximum nesting depth of 32");
      const wide = { input: { text: "" }, [field]: { text: Array.from({ length: 10_000 }, () => 0) } };
      const other = await server.post(`/graphs/shout/${door}`, wide);
      expectError(other, 400, "input_too_complex", "Input exceeds maximum node count of 10000");
    }
  },
);

test("an input at the limits of depth and nodes is taken", async () => {
  for (const text of [nested(31), Array.from({ length: 9_999 }, () => 0)]) {
    expect((await server.post("/graphs/shout/invoke", { input: { text } })).status).toBe(200);
  }
});

test("JSON as deep as the body allows is refused, not overflowed by", async () => {
  const depth = limits.maxBodyBytes / 2 - 20;
  const body = `{"input":{"text":${"[".repeat(depth)}${"]".repeat(depth)}}}`;
  expect((await server.post("/graphs/shout/invoke", body)).status).toBe(400);
});

test.each([
  [7, "thread_id must be a string"],
  [null, "thread_id must be a string"],
  [{ id: "x" }, "thread_id must be a string"],
  ["", "Thread ID must not be empty"],
  ["x".repeat(257), "Thread ID exceeds maximum length of 256 characters"],
  ["ümlaut", "Thread ID must contain only printable ASCII characters"],
  ["a\nb", "Thread ID must contain only printable ASCII characters"],
  ["a\u007f", "Thread ID must contain only printable ASCII characters"],
])("the thread id %j is refused", async (thread_id, detail) => {
  for (const door of doors) {
    const body = { input: { text: "a" }, config: { configurable: { thread_id } } };
    expectError(await server.post(`/graphs/shout/${door}`, body), 400, "invalid_thread_id", detail);
  }
  if (typeof thread_id !== "string" || thread_id === "") return;
  const answer = await server.get(`/graphs/shout/threads/${encodeURIComponent(thread_id)}/state`);
  expectError(answer, 400, "invalid_thread_id", detail);
});

test.each([
  ["POST", "/graphs/nobody/invoke"],
  ["POST", "/graphs/nobody/stream"],
  ["GET", "/graphs/nobody/threads/t/state"],
  ["GET", "/graphs"],
  ["GET", ""],
  ["POST", "/graphs/Shout/invoke"],
  ["POST", "/graphs/constructor/invoke"],
  ["GET", "/graphs/shout/threads//state"],
  ["DELETE", "/elsewhere"],
])("%s %s is not found", async (method, path) => {
  const detail = expect.stringContaining(`There is nothing at ${method} /api${path}`);
  expectError(await server.get(path, { method }), 404, "not_found", detail);
});

test("what lies outside the prefix is not found", async () => {
  const response = await fetch(new URL("/health", server.url));
  expect([response.status, await response.json()]).toEqual([
    404,
    { error: "not_found", detail: "There is nothing at GET /health" },
  ]);
});

test.each([
  ["GET", "/graphs/shout/invoke", "POST"],
  ["PUT", "/graphs/shout/stream", "POST"],
  ["POST", "/graphs/shout/threads/t/state", "GET"],
  ["DELETE", "/health", "GET"],
  ["OPTIONS", "/openapi.json", "GET"],
])("%s is not for %s, and the answer says what is", async (method, path, allowed) => {
  const answer = await server.get(path, { method });
  expectError(answer, 405, "method_not_allowed", `${method} is not among ${allowed}`);
  expect(answer.headers.get("allow")).toBe(allowed);
});

test.each([
  ["a string", { role: "user", content: "x".repeat(101) }],
  ["a bare string", "x".repeat(101)],
  ["a tuple", ["user", "x".repeat(101)]],
  [
    "parts",
    {
      role: "user",
      content: [
        { type: "text", text: "x".repeat(50) },
        { type: "text", text: "y".repeat(51) },
      ],
    },
  ],
  ["a tuple of parts", ["user", [{ type: "text", text: "x".repeat(101) }]]],
  [
    "LangChain's form",
    {
      lc: 1,
      type: "constructor",
      id: ["langchain_core", "messages", "HumanMessage"],
      kwargs: { content: "x".repeat(101) },
    },
  ],
])("a message over its limit is refused in the form of %s", async (_form, message) => {
  for (const door of doors) {
    const first = { role: "user", content: "x".repeat(100) };
    const answer = await server.post(`/graphs/counter/${door}`, { input: { messages: [first, message] } });
    const detail = expect.stringMatching(/^input\.messages\.1: 10\d characters \(max 100\)$/);
    expectError(answer, 413, "message_too_large", detail);
    expect((await server.post(`/graphs/counter/${door}`, { input: { messages: message } })).status).toBe(413);
  }
});

test("a message over its limit cannot come by a command", async () => {
  const messages = [{ role: "user", content: "x".repeat(101) }];
  const config = { configurable: { thread_id: "command" } };
  const answer = await server.post("/graphs/counter/invoke", {
    command: { update: { messages }, goto: "count" },
    config,
  });
  expect(answer).toMatchObject({ status: 413, body: { error: "message_too_large" } });
});

test("a message at its limit is taken", async () => {
  const messages = [{ role: "user", content: "x".repeat(100) }];
  expect((await server.post("/graphs/counter/invoke", { input: { messages } })).status).toBe(200);
});

test.each([
  [{}, "input: "],
  [[], "body: "],
  ['"text"', "body: "],
  [null, "body: "],
  [{ input: null }, "input: "],
  [{ input: "text" }, "input: "],
  [{ input: [] }, "input: "],
  [{ input: {}, inputs: 1 }, "inputs"],
  [{ input: {}, config: 1 }, "config: "],
  [{ input: {}, config: { configurable: null } }, "config.configurable: "],
  [{ input: {}, config: { unknown: 1 } }, "unknown"],
  [{ input: {}, config: { recursion_limit: 0 } }, "config.recursion_limit: "],
  [{ input: {}, config: { recursion_limit: 1e6 } }, "config.recursion_limit: "],
  [{ input: {}, config: { tags: "a" } }, "config.tags: "],
  [{ input: {}, config: { configurable: { checkpoint_id: 7 } } }, "config.configurable.checkpoint_id: "],
  [{ input: {}, config: { configurable: { __pregel_resuming: true } } }, "config.configurable: "],
  [
    { input: {}, config: { configurable: { langgraph_auth_user: { identity: "root" } } } },
    "config.configurable: ",
  ],
  [{ input: {}, metadata: [] }, "metadata: "],
  [{ input: {}, command: { resume: 1 } }, "command: "],
  [{ command: {} }, "command: "],
  [{ command: { unknown: 1 } }, "unknown"],
  [{ command: { goto: 7 } }, "command.goto: "],
  [{ command: { update: [] } }, "command.update: "],
  [{ input: { text: "a\u0000b" } }, "NUL"],
  [{ input: { text: "\ud800" } }, "surrogate"],
  [{ input: { "\u0000": 1 } }, "NUL"],
  [{ input: { text: "a" }, metadata: { user: "\u0000" } }, "NUL"],
])("%j is refused, and the answer names what is wrong", async (body, named) => {
  for (const door of doors) {
    expectError(
      await server.post(`/graphs/shout/${door}`, body),
      422,
      "invalid_request",
      expect.stringContaining(named),
    );
  }
});

test.each(["debug", "messages-tuple", "", null, ["values"], { mode: "values" }])(
  "the stream mode %j is refused",
  async (stream_mode) => {
    const answer = await server.post("/graphs/shout/stream", { input: { text: "a" }, stream_mode });
    expectError(answer, 422, "invalid_request", expect.stringMatching(/^stream_mode: /));
  },
);

test("a stream mode is not for invoke", async () => {
  const answer = await server.post("/graphs/shout/invoke", { input: { text: "a" }, stream_mode: "values" });
  expectError(answer, 422, "invalid_request", expect.stringContaining("stream_mode"));
});

test.each([
  ["counter", { messages: [{ role: "nobody", content: "hi" }] }],
  ["counter", { messages: 7 }],
  ["counter", { messages: [{}] }],
  ["counter", { messages: [null] }],
  ["counter", { messages: [{ role: "remove", content: "", id: "nobody" }] }],
  ["counter", { messages: [{ role: "ai", content: "", tool_calls: [null] }] }],
  ["typed", { number: "1" }],
])("what %s cannot take is the client's mistake: %j", async (graph, input) => {
  for (const config of [null, { configurable: { thread_id: `mistaken ${graph}` } }]) {
    const answer = await server.post(`/graphs/${graph}/invoke`, { input, config });
    expectError(answer, 422, "invalid_request", expect.stringMatching(/^input: /));
  }
});

test.each([
  { command: { resume: "nobody asked" } },
  { input: { text: "a" }, config: { configurable: { checkpoint_id: "nonsense" } } },
  { input: { text: "a" }, config: { configurable: { checkpoint_ns: "non|sense:1" } } },
])("a request that makes no sense is not taken for the graph's failure: %j", async (body) => {
  for (const thread_id of [undefined, "senseless"]) {
    const config = { ...body.config, configurable: { ...body.config?.configurable, thread_id } };
    expect((await server.post("/graphs/asking/invoke", { ...body, config })).status).toBeLessThan(500);
  }
});

test("a graph that fails says no more than that, and where to look", async () => {
  const answer = await server.post("/graphs/failing/invoke", { input: { text: "a" } });
  expectError(
    answer,
    500,
    "graph_failed",
    expect.stringMatching(/^Graph execution failed \(error id [0-9a-f-]{36}\)$/),
  );
});

test("a graph that cannot be loaded says no more than that, and leaves its thread free", async () => {
  for (const config of [
    null,
    { configurable: { thread_id: "broken" } },
    { configurable: { thread_id: "broken" } },
  ]) {
    const answer = await server.post("/graphs/broken/invoke", { input: { text: "a" }, config });
    expect([answer.status, answer.text]).toEqual([500, expect.not.stringContaining("secret")]);
  }
});

test("a stream asked of an invoke-only graph is not implemented", async () => {
  const answer = await server.post("/graphs/unstreamed/stream", { input: { text: "a" } });
  expectError(answer, 501, "stream_not_supported", "Graph 'unstreamed' is configured as invoke-only");
  expect((await server.post("/graphs/unstreamed/invoke", { input: { text: "a" } })).status).toBe(200);
});
