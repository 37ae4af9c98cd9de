import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js";
import { Annotation, interrupt, type LangGraphRunnableConfig, START, StateGraph } from "@langchain/langgraph";
import { expect, test } from "vitest";
import { z } from "zod";
import { startHost, twoSteps } from "../support/deadline-host.ts";
import { asking, counter, doubler, failing, gated, shout, typed } from "../support/graphs.ts";
import { clientOf } from "../support/sdk.ts";
import { startServer, type ServerOptions, type TestServer } from "../support/server.ts";

const Text = Annotation.Root({ text: Annotation<string> });

interface Connected extends AsyncDisposable {
  readonly client: Client;
  readonly call: (name: string, args?: Record<string, unknown>) => Promise<CallToolResult>;
}

/** The official client, connected. */
async function connect({ url }: Pick<TestServer, "url">, headers = {}): Promise<Connected> {
  const client = new Client({ name: "test", version: "1.0.0" });
  const transport = new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit: { headers } });
  // Its session id is undefined or a string, and the interface does not say so exactly.
  await client.connect(transport as Parameters<Client["connect"]>[0]);
  return {
    client,
    call: async (name, args) =>
      (await client.callTool({ name, ...(args === undefined ? {} : { arguments: args }) })) as CallToolResult,
    [Symbol.asyncDispose]: async () => client.close(),
  };
}

async function serve(options: Partial<ServerOptions> = {}) {
  const server = await startServer({ graphs: [{ name: "shout", graph: shout }], ...options });
  const connected = await connect(server);
  return {
    server,
    ...connected,
    [Symbol.asyncDispose]: async () => {
      await connected[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

const textOf = ({ content }: CallToolResult): string =>
  content.map((part) => (part.type === "text" ? part.text : "")).join();

test("a client is told who the server is, and which tools there are", async () => {
  await using mcp = await serve({
    graphs: [
      { name: "shout", graph: shout, description: "Says it louder" },
      { name: "typed", graph: typed },
      { name: "doubler", graph: doubler, inputSchema: z.object({ number: z.number() }) },
    ],
  });
  expect(mcp.client.getServerVersion()).toMatchObject({ name: "langgraph-functions" });
  expect(mcp.client.getServerCapabilities()).toEqual({ tools: {} });
  await mcp.client.ping();
  const { tools } = await mcp.client.listTools();
  const byName = Object.fromEntries(tools.map((tool) => [tool.name, tool]));
  expect(Object.keys(byName).sort()).toEqual(["doubler", "shout", "typed"]);
  expect(byName["shout"]).toMatchObject({
    description: "Says it louder",
    inputSchema: { type: "object", properties: { text: {} } },
  });
  expect(byName["typed"]).not.toHaveProperty("description");
  expect(byName["typed"]?.inputSchema).toMatchObject({ properties: { number: { type: "number" } } });
  expect(byName["doubler"]?.inputSchema).toMatchObject({ type: "object", required: ["number"] });
});

test("a call runs the graph, and leaves nothing of the run", async () => {
  await using mcp = await serve();
  const answer = await mcp.call("shout", { text: "hello" });
  expect(answer).toEqual({
    content: [{ type: "text", text: '{"text":"hello!"}' }],
    structuredContent: { text: "hello!" },
  });
  expect(await clientOf(mcp.server).threads.search()).toEqual([]);
});

test("messages come as plain JSON, and what is no object is wrapped", async () => {
  await using mcp = await serve({
    graphs: [
      { name: "counter", graph: counter },
      { name: "doubler", graph: doubler },
    ],
  });
  const { structuredContent } = await mcp.call("counter", { messages: [{ role: "user", content: "hi" }] });
  expect(structuredContent).toMatchObject({
    messages: [{ type: "human" }, { type: "ai", content: "message 1" }],
  });
  expect((await mcp.call("doubler", { number: 21 })).structuredContent).toEqual({ result: 42 });
});

test("a tool's output is what the graph's output schema makes of it", async () => {
  await using mcp = await serve({
    graphs: [
      {
        name: "shout",
        graph: shout,
        outputSchema: z.object({ text: z.string().transform((text) => text.length) }),
      },
    ],
  });
  expect((await mcp.call("shout", { text: "four" })).structuredContent).toEqual({ text: 5 });
});

test("a graph that fails is a tool that failed, and tells nothing of why", async () => {
  await using mcp = await serve({ graphs: [{ name: "failing", graph: failing }] });
  const answer = await mcp.call("failing", { text: "a" });
  expect(answer.isError).toBe(true);
  expect(textOf(answer)).toMatch(/^Graph execution failed.* \(error id [\da-f-]{36}\)$/);
  expect(JSON.stringify(answer)).not.toContain("secret of the graph");
});

test("a tool that does not exist is named", async () => {
  await using mcp = await serve();
  await expect(mcp.call("whisper")).rejects.toMatchObject({
    code: -32602,
    message: expect.stringContaining("Tool 'whisper' not found"),
  });
});

test("arguments that do not fit are the tool's error, which names the field", async () => {
  await using mcp = await serve({
    graphs: [
      { name: "shout", graph: shout, inputSchema: z.object({ text: z.string() }) },
      { name: "counter", graph: counter },
    ],
    limits: { maxDepth: 4, maxMessageCharacters: 10 },
  });
  const wrong = await mcp.call("shout", { text: 7 });
  expect(wrong.isError).toBe(true);
  expect(textOf(wrong)).toContain("input.text: ");
  expect(textOf(await mcp.call("shout"))).toContain("input.text: ");
  expect(textOf(await mcp.call("shout", { text: [[[[["deep"]]]]] }))).toContain("maximum nesting depth of 4");
  const long = await mcp.call("counter", { messages: [{ role: "user", content: "more than ten" }] });
  expect(textOf(long)).toBe("input.messages.0: 13 characters (max 10)");
  expect((await mcp.call("shout", { text: "fits" })).isError).toBeUndefined();
});

test("a graph that interrupts says what it waits for", async () => {
  await using mcp = await serve({ graphs: [{ name: "asking", graph: asking }] });
  const answer = await mcp.call("asking", { text: "May I?" });
  expect(answer.isError).toBe(true);
  expect(textOf(answer)).toContain('"question":"May I?"');
});

test("two calls at once do not wait for each other", async () => {
  const gates = [gated(), gated()] as const;
  await using mcp = await serve({
    graphs: gates.map(({ graph }, index) => ({ name: `gate${index}`, graph })),
  });
  const calls = [mcp.call("gate0", { text: "first" }), mcp.call("gate1", { text: "second" })] as const;
  await Promise.all(gates.map(({ entered }) => entered));
  gates[1].open();
  expect((await calls[1]).structuredContent).toEqual({ text: "second after all" });
  gates[0].open();
  expect((await calls[0]).structuredContent).toEqual({ text: "first after all" });
});

test("a client that wants to know is told that a long call goes on", async () => {
  const { graph, open } = gated();
  await using mcp = await serve({ graphs: [{ name: "slow", graph }] });
  const told: number[] = [];
  const onprogress = ({ progress }: { progress: number }): void => {
    told.push(progress);
    if (told.length === 2) open();
  };
  const answer = await mcp.client.callTool({ name: "slow", arguments: { text: "done" } }, undefined, {
    onprogress,
  });
  expect(answer.structuredContent).toEqual({ text: "done after all" });
  expect(told).toEqual([...new Set(told)].sort((a, b) => a - b));
  expect(told.length).toBeGreaterThanOrEqual(2);
}, 30_000);

test("a run stops when its client goes away", async () => {
  let stop = (): void => undefined;
  let enter = (): void => undefined;
  const stopped = new Promise<void>((resolve) => (stop = resolve));
  const entered = new Promise<void>((resolve) => (enter = resolve));
  const graph = new StateGraph(Text)
    .addNode("wait", async (state, { signal }: LangGraphRunnableConfig) => {
      enter();
      await new Promise<void>((resolve) => signal?.addEventListener("abort", () => resolve()));
      stop();
      return state;
    })
    .addEdge(START, "wait")
    .compile();
  await using mcp = await serve({ graphs: [{ name: "waiting", graph }] });
  const call = mcp.call("waiting", { text: "a" }).catch((error: unknown) => error);
  await entered;
  await mcp.client.close();
  await stopped;
  expect(await call).toMatchObject({ message: expect.stringContaining("Connection closed") });
});

test("a call waits for its run, also when another invocation goes on with it", async () => {
  const { graph, attempts } = twoSteps();
  await using host = await startHost([{ name: "steps", graph }], 10_000);
  await using mcp = await connect(host);
  expect((await mcp.call("steps", { text: "a" })).structuredContent).toEqual({ text: "a first second" });
  expect(attempts()).toBe(2);
}, 30_000);

test("a run that outlives its call is told of, and goes on", async () => {
  const { graph, open } = gated();
  await using host = await startHost([{ name: "slow", graph }], 1_000);
  await using mcp = await connect(host);
  const answer = await mcp.call("slow", { text: "a" });
  open();
  expect(answer.isError).toBe(true);
  expect(textOf(answer)).toMatch(/^Run '[\da-f-]{36}' takes longer than a call may; it goes on/);
});

test("a run sees the headers of its call, and its caller's context", async () => {
  const graph = new StateGraph(Text)
    .addNode("tell", (_, { configurable, context }: LangGraphRunnableConfig) => ({
      text: JSON.stringify([configurable?.["x-user-id"], context]),
    }))
    .addEdge(START, "tell")
    .compile();
  await using server = await startServer({
    graphs: [{ name: "tell", graph, context: ({ headers }) => ({ user: headers.get("x-user-id") }) }],
  });
  await using mcp = await connect(server, { "x-user-id": "ada" });
  expect((await mcp.call("tell", {})).structuredContent).toEqual({ text: '["ada",{"user":"ada"}]' });
});

test("a tool is there for those whose key opens its graph", async () => {
  const graphs = (["anonymous", "function", "admin"] as const).map((authLevel) => ({
    name: authLevel,
    graph: shout,
    authLevel,
  }));
  const local = { keys: { function: "function-key", admin: "admin-key" } };
  await using server = await startServer({ graphs, local, authLevel: "anonymous" });
  for (const [key, open] of [
    ["", ["anonymous"]],
    ["function-key", ["anonymous", "function"]],
    ["admin-key", ["admin", "anonymous", "function"]],
  ] as const) {
    await using mcp = await connect(server, { "x-functions-key": key });
    const { tools } = await mcp.client.listTools();
    expect(tools.map(({ name }) => name).sort()).toEqual(open);
    for (const { name } of graphs) {
      const answer = await mcp.call(name, { text: "a" }).catch((error: unknown) => error);
      if (open.some((one) => one === name))
        expect(answer).toMatchObject({ structuredContent: { text: "a!" } });
      else
        expect(answer).toMatchObject({
          code: -32602,
          message: expect.stringContaining(`Tool '${name}' not found`),
        });
    }
  }
});

test("assistants are tools, too, each with a name of its own", async () => {
  const graph = new StateGraph(Text)
    .addNode("tell", (_, { configurable }: LangGraphRunnableConfig) => ({
      text: String(configurable?.["tone"]),
    }))
    .addEdge(START, "tell")
    .compile();
  await using mcp = await serve({
    graphs: [
      { name: "tell", graph },
      { name: "shout", graph: shout },
    ],
  });
  const { assistants } = clientOf(mcp.server);
  const make = async (name: string, tone: string) =>
    assistants.create({
      graphId: "tell",
      name,
      config: { configurable: { tone } },
      description: `In ${tone}`,
    });
  await make("Sales agent", "joy");
  const second = await make("Sales agent", "awe");
  const other = await make("shout", "anger");
  const { tools } = await mcp.client.listTools();
  const suffix = (id: string): string => id.slice(0, 8);
  const names = [
    "tell",
    "shout",
    "Sales_agent",
    `Sales_agent_${suffix(second.assistant_id)}`,
    `shout_${suffix(other.assistant_id)}`,
  ];
  expect(tools.map(({ name }) => name).sort()).toEqual(names.sort());
  expect(tools.find(({ name }) => name === "Sales_agent")).toMatchObject({
    title: "Sales agent",
    description: "In joy",
  });
  const told = async (name: string) => (await mcp.call(name, { text: "a" })).structuredContent;
  expect(await told("Sales_agent")).toEqual({ text: "joy" });
  expect(await told(`Sales_agent_${suffix(second.assistant_id)}`)).toEqual({ text: "awe" });
  expect(await told(`shout_${suffix(other.assistant_id)}`)).toEqual({ text: "anger" });
  expect(await told("shout")).toEqual({ text: "a!" });
});

test("a changed default assistant is what its tool runs", async () => {
  const graph = new StateGraph(Text)
    .addNode("tell", (_, { configurable }: LangGraphRunnableConfig) => ({
      text: interruptible(configurable?.["tone"]),
    }))
    .addEdge(START, "tell")
    .compile();
  await using mcp = await serve({ graphs: [{ name: "tell", graph }] });
  await clientOf(mcp.server).assistants.update("tell", {
    config: { configurable: { tone: "joy" } },
    description: "Changed",
  });
  expect((await mcp.client.listTools()).tools).toMatchObject([{ name: "tell", description: "Changed" }]);
  expect((await mcp.call("tell", {})).structuredContent).toEqual({ text: "joy" });
});

function interruptible(tone: unknown): string {
  return typeof tone === "string" ? tone : interrupt("no tone");
}

test("a graph that cannot be loaded does not hide the others", async () => {
  await using mcp = await serve({
    graphs: [
      { name: "shout", graph: shout },
      { name: "broken", graph: async () => Promise.reject(new Error("secret of the loader")) },
    ],
  });
  const { tools } = await mcp.client.listTools();
  expect(tools.map(({ name }) => name).sort()).toEqual(["broken", "shout"]);
  const answer = await mcp.call("broken", { text: "a" });
  expect(answer.isError).toBe(true);
  expect(JSON.stringify(answer)).not.toContain("secret");
});

test("where streams are buffered, the answer is JSON", async () => {
  await using mcp = await serve({ streaming: "buffered" });
  expect((await mcp.call("shout", { text: "a" })).structuredContent).toEqual({ text: "a!" });
  const listed = await raw(mcp.server, { body: LIST });
  expect(listed.headers.get("content-type")).toBe("application/json");
  expect(listed.body).toMatchObject({ id: 1, result: { tools: [{ name: "shout" }] } });
});

const LIST = { jsonrpc: "2.0", id: 1, method: "tools/list" };
const HEADERS = { accept: "application/json, text/event-stream", "content-type": "application/json" };

/** As a client that is not the official one may ask. */
async function raw(
  server: TestServer,
  { headers = {}, method = "POST", body }: { headers?: object; method?: string; body?: unknown },
) {
  const content = body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) };
  return server.get("/mcp", { method, headers: { ...HEADERS, ...headers }, ...content });
}

test("each request stands for itself, with a status that says what is wrong with it", async () => {
  await using server = await startServer({
    graphs: [{ name: "shout", graph: shout }],
    limits: { maxBodyBytes: 1_000 },
  });
  const listed = await raw(server, { body: LIST });
  expect(listed).toMatchObject({
    status: 200,
    text: expect.stringMatching(/^event: message\ndata: .*"shout"/),
  });
  expect(listed.headers.get("content-type")).toBe("text/event-stream");
  expect(listed.headers.get("mcp-session-id")).toBeNull();
  const status = async (request: Parameters<typeof raw>[1]) => (await raw(server, request)).status;
  expect(await status({ body: { jsonrpc: "2.0", method: "notifications/initialized" } })).toBe(202);
  expect(await status({ body: LIST, headers: { accept: "application/json" } })).toBe(406);
  expect(await status({ body: LIST, headers: { accept: "text/event-stream" } })).toBe(406);
  expect(await status({ body: LIST, headers: { "content-type": "text/plain" } })).toBe(415);
  expect(await status({ body: "{" })).toBe(400);
  expect(await status({ body: { hello: "there" } })).toBe(400);
  expect(await status({ body: LIST, headers: { "mcp-protocol-version": "1999-01-01" } })).toBe(400);
  expect(await status({ body: { ...LIST, params: { cursor: "x".repeat(1_000) } } })).toBe(413);
  expect((await raw(server, { body: { ...LIST, method: "tools/whisper" } })).text).toContain('"code":-32601');
  for (const method of ["GET", "DELETE"]) {
    const refused = await raw(server, { method });
    expect(refused.status).toBe(405);
    expect(refused.headers.get("allow")).toBe("POST");
  }
});

test("without the app's key there is nothing to see", async () => {
  await using server = await startServer({
    graphs: [{ name: "shout", graph: shout }],
    local: { keys: { function: "function-key" } },
  });
  expect((await raw(server, { body: LIST })).status).toBe(401);
  expect((await raw(server, { body: LIST, headers: { "x-functions-key": "function-key" } })).status).toBe(
    200,
  );
});

test("where it is turned off, there is nothing", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }], disable: ["mcp"] });
  expect((await raw(server, { body: LIST })).body).toMatchObject({ error: "not_found" });
  expect((await raw(server, { method: "GET" })).status).toBe(404);
});
