/** Agents that sign in, and what each reaches of the others' tasks, conversations and assistants. */

import { Auth } from "@langchain/langgraph-sdk/auth";
import { expect, test } from "vitest";
import { z } from "zod";
import { isJsonObject } from "../../src/core/model.ts";
import { appWithUsers, textOf, type AppWithUsers, type AppWithUsersOptions } from "../support/users.ts";
import { asking, counter, gated, reporting, shout } from "../support/graphs.ts";

const graphs = [
  { name: "shout", graph: shout },
  { name: "asking", graph: asking },
  { name: "counter", graph: counter },
  { name: "reporting", graph: reporting },
];

async function serve(options: Partial<AppWithUsersOptions> = {}): Promise<AppWithUsers> {
  return appWithUsers({ graphs, ...options });
}

const RpcAnswer = z.object({
  result: z.record(z.string(), z.unknown()).default({}),
  error: z.object({ code: z.number(), message: z.string() }).optional(),
});
type RpcAnswer = z.output<typeof RpcAnswer>;

/** Also of an answer that comes as events. */
function rpcOf(text: string): RpcAnswer {
  const [, data = text] = /^data: (.*)$/m.exec(text) ?? [];
  return RpcAnswer.parse(JSON.parse(data));
}

async function mcp(app: AppWithUsers, user: string, method: string, params: object = {}): Promise<RpcAnswer> {
  const { text } = await app.ask(user, "POST /mcp", {
    body: { jsonrpc: "2.0", id: 1, method, params },
    headers: { accept: "application/json, text/event-stream" },
  });
  return rpcOf(text);
}

async function callTool(app: AppWithUsers, user: string, name: string, args: object): Promise<RpcAnswer> {
  return mcp(app, user, "tools/call", { name, arguments: args });
}

function namesOf({ result }: RpcAnswer): readonly string[] {
  const tools: readonly unknown[] = Array.isArray(result["tools"]) ? result["tools"] : [];
  return tools.map((tool) => String(isJsonObject(tool) ? tool["name"] : tool)).toSorted();
}

async function a2a(
  app: AppWithUsers,
  user: string | undefined,
  { agent, method, params }: { readonly agent: string; readonly method: string; readonly params: object },
): Promise<RpcAnswer & { readonly status: number }> {
  const answer = await app.ask(user, `POST /a2a/${agent}`, {
    body: { jsonrpc: "2.0", id: 1, method, params },
  });
  return { ...(answer.status === 200 ? rpcOf(answer.text) : { result: {} }), status: answer.status };
}

async function send(app: AppWithUsers, user: string, agent: string, rest: object = {}): Promise<RpcAnswer> {
  const message = { role: "user", messageId: "m", parts: [{ kind: "data", data: { text: "hi" } }], ...rest };
  return a2a(app, user, { agent, method: "message/send", params: { message } });
}

async function makeAssistant(app: AppWithUsers, user: string, name: string): Promise<string> {
  return textOf(
    await app.ask(user, "POST /assistants", { body: { graph_id: "shout", name } }),
    "assistant_id",
  );
}

test("each agent has the tools of all, and those of its own assistants", async () => {
  await using app = await serve();
  await makeAssistant(app, "ada", "adas");
  const common = ["asking", "counter", "reporting", "shout"];
  expect(namesOf(await mcp(app, "ada", "tools/list"))).toEqual(["adas", ...common]);
  expect(namesOf(await mcp(app, "bob", "tools/list"))).toEqual(common);
  expect((await callTool(app, "ada", "adas", { text: "a" })).result).toMatchObject({
    structuredContent: { text: "a!" },
  });
  const theirs = await callTool(app, "bob", "adas", { text: "a" });
  const missing = await callTool(app, "bob", "nones", { text: "a" });
  expect(theirs.error?.message.replace("adas", "nones")).toBe(missing.error?.message);
});

test("a tool runs on behalf of the agent that calls it", async () => {
  await using app = await serve();
  const { result } = await callTool(app, "ada", "reporting", { text: "a" });
  expect(result).toMatchObject({
    structuredContent: { report: { configurable: { langgraph_auth_user_id: "ada" } } },
  });
});

test.each([
  { event: "assistants:search", list: false, call: false },
  { event: "threads:create_run", list: true, call: false },
] as const)("an agent without the right to $event", async ({ event, list, call }) => {
  const auth = new Auth().authenticate(() => "ada").on(event, () => false);
  await using app = await serve({ auth });
  const headers = { accept: "application/json, text/event-stream" };
  const body = { jsonrpc: "2.0", id: 1, method: "tools/list" };
  expect((await app.ask("ada", "POST /mcp", { body, headers })).status).toBe(list ? 200 : 403);
  const params = { name: "shout", arguments: { text: "a" } };
  const called = await app.ask("ada", "POST /mcp", {
    body: { ...body, method: "tools/call", params },
    headers,
  });
  expect(called.text.includes("a!")).toBe(call);
  expect(await app.database.query("select from langgraph.events")).toEqual([]);
});

test("MCP and A2A are for who has signed in", async () => {
  await using app = await serve();
  const body = { jsonrpc: "2.0", id: 1, method: "tools/list" };
  expect((await app.ask(undefined, "POST /mcp", { body })).status).toBe(401);
  const asked = { agent: "shout", method: "tasks/get", params: { id: "x" } };
  expect((await a2a(app, undefined, asked)).status).toBe(401);
  const card = "GET /.well-known/agent-card.json?assistant_id=shout";
  expect((await app.ask(undefined, card)).status).toBe(401);
  expect((await app.ask("ada", card)).status).toBe(200);
});

test("the agent card says how to sign in", async () => {
  const auth = new Auth().authenticate(() => "ada");
  await using app = await serve({ auth, authLevel: "function" });
  const card = await app.ask("ada", "GET /.well-known/agent-card.json?assistant_id=shout");
  expect(card.body).toMatchObject({
    securitySchemes: { functionKey: { type: "apiKey" }, signIn: { type: "http", scheme: "bearer" } },
    security: [{ functionKey: [], signIn: [] }],
  });
});

test("another's assistant has no agent card, and takes no message", async () => {
  await using app = await serve();
  const id = await makeAssistant(app, "ada", "adas");
  const card = `GET /.well-known/agent-card.json?assistant_id=${id}`;
  expect((await app.ask("ada", card)).body).toMatchObject({ name: "adas" });
  expect((await app.ask("bob", card)).status).toBe(404);
  expect((await send(app, "ada", id)).result).toMatchObject({ status: { state: "completed" } });
  const asked = { agent: id, method: "tasks/get", params: { id: "x" } };
  expect((await a2a(app, "bob", asked)).status).toBe(404);
});

test("a conversation with an agent is its user's: its context and its tasks are no other's", async () => {
  await using app = await serve();
  const { result: task } = await send(app, "ada", "asking");
  expect(task).toMatchObject({ status: { state: "input-required" } });
  const { id: taskId, contextId } = task;
  const ask = async (user: string, method: string) =>
    a2a(app, user, { agent: "asking", method, params: { id: taskId } });
  const missing = await a2a(app, "bob", {
    agent: "asking",
    method: "tasks/get",
    params: { id: "00000000-0000-4000-8000-000000000000" },
  });
  for (const method of ["tasks/get", "tasks/cancel"]) {
    const { error } = await ask("bob", method);
    expect(error?.code).toBe(missing.error?.code);
    expect(error?.message.replace(/'.*'/, "")).toBe(missing.error?.message.replace(/'.*'/, ""));
  }
  for (const rest of [{ taskId }, { taskId, contextId }, { contextId }])
    expect((await send(app, "bob", "asking", rest)).error).toBeDefined();
  const runs = "select count(*)::int as runs from langgraph.runs";
  expect(await app.database.query(runs)).toEqual([{ runs: 1 }]);
  expect((await ask("ada", "tasks/get")).result).toMatchObject({ status: { state: "input-required" } });
  const { result: answered } = await send(app, "ada", "asking", { taskId, contextId });
  expect(answered).toMatchObject({ id: taskId, status: { state: "completed" } });
});

test("a task that is being worked on is stopped by its own user alone", async () => {
  const { graph, open, entered } = gated();
  await using app = await serve({ graphs: [{ name: "gated", graph }] });
  const message = { role: "user", messageId: "m", parts: [{ kind: "data", data: { text: "hi" } }] };
  const params = { message, configuration: { blocking: false } };
  const { result } = await a2a(app, "ada", { agent: "gated", method: "message/send", params });
  await entered;
  const cancel = async (user: string) =>
    a2a(app, user, { agent: "gated", method: "tasks/cancel", params: { id: result["id"] } });
  expect((await cancel("bob")).error).toBeDefined();
  const [run] = await app.database.query("select status, cancel_action from langgraph.runs");
  expect(run).toEqual({ status: "running", cancel_action: null });
  const stopping = cancel("ada");
  open();
  expect((await stopping).error).toBeUndefined();
});

test("a message on behalf of a user is what its graph is told", async () => {
  await using app = await serve();
  const { result } = await send(app, "ada", "reporting");
  expect(JSON.stringify(result)).toContain('"langgraph_auth_user_id":"ada"');
});

test.each([
  ["assistants:read", "message/send"],
  ["threads:create_run", "message/send"],
  ["threads:read", "tasks/get"],
  ["threads:update", "tasks/cancel"],
] as const)("an agent without the right to %s is refused by %s", async (event, method) => {
  let isRefused = false;
  const auth = new Auth().authenticate(() => "ada").on(event, () => !isRefused);
  await using app = await serve({ auth });
  const { result } = await send(app, "ada", "asking");
  isRefused = true;
  const message = { role: "user", messageId: "n", parts: [{ kind: "data", data: { text: "hi" } }] };
  const params = method === "message/send" ? { message } : { id: result["id"] };
  const answer = await a2a(app, "ada", { agent: "asking", method, params });
  expect(answer.result).toEqual({});
  expect([answer.status, answer.error]).toEqual(
    event === "assistants:read" ? [403, undefined] : [200, { code: -32602, message: "Forbidden" }],
  );
  const runs = "select count(*)::int as runs from langgraph.runs";
  expect(await app.database.query(runs)).toEqual([{ runs: 1 }]);
});
