import { randomUUID } from "node:crypto";
import {
  ClientFactory,
  DefaultAgentCardResolver,
  JsonRpcTransportFactory,
  type Client,
} from "@a2a-js/sdk/client";
import { Role, TaskState, type Message, type Part, type SendMessageRequest, type Task } from "@a2a-js/sdk";
import { AIMessage } from "@langchain/core/messages";
import { FakeListChatModel } from "@langchain/core/utils/testing";
import { MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { expect, test } from "vitest";
import { startHost } from "../support/deadline-host.ts";
import { asking, counter, failing, gated, shout } from "../support/graphs.ts";
import { talking } from "../support/streaming-graphs.ts";
import { startServer, type TestServer } from "../support/server.ts";

/** The official client, by the agent's card. */
async function connect({ url }: { readonly url: string }, assistantId: string): Promise<Client> {
  const legacyCompat = { enabled: true };
  const factory = new ClientFactory({
    transports: [new JsonRpcTransportFactory({ legacyCompat })],
    cardResolver: new DefaultAgentCardResolver({ legacyCompat }),
  });
  return factory.createFromUrl(`${url}/.well-known/agent-card.json?assistant_id=${assistantId}`, "");
}

type Content = NonNullable<Part["content"]>;

function message(content: Content, rest: Partial<Message> = {}): SendMessageRequest {
  const part = { content, metadata: undefined, filename: "", mediaType: "" };
  return {
    tenant: "",
    configuration: undefined,
    metadata: undefined,
    message: {
      messageId: randomUUID(),
      contextId: "",
      taskId: "",
      role: Role.ROLE_USER,
      parts: [part],
      metadata: undefined,
      extensions: [],
      referenceTaskIds: [],
      ...rest,
    },
  };
}

const text = (value: string): Content => ({ $case: "text", value });
const data = (value: object): Content => ({ $case: "data", value });

async function send(client: Client, request: SendMessageRequest): Promise<Task> {
  const answer = await client.sendMessage(request);
  if (!("status" in answer)) throw new Error("expected a task");
  return answer;
}

const contents = (parts: readonly Part[] | undefined): readonly unknown[] =>
  (parts ?? []).map(({ content }) => content?.value);
const answers = ({ artifacts }: Task): readonly unknown[] =>
  artifacts.flatMap(({ parts }) => contents(parts));

test("a message is answered, and a conversation goes on in its context", async () => {
  await using server = await startServer({ graphs: [{ name: "counter", graph: counter }] });
  const client = await connect(server, "counter");
  const first = await send(client, message(text("one")));
  expect(first.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
  expect(answers(first)).toEqual(["message 1"]);
  const { contextId } = first;
  const second = await send(client, message(text("two"), { contextId, taskId: first.id }));
  expect([second.contextId, answers(second)]).toEqual([contextId, ["message 3"]]);
  expect(second.id).not.toBe(first.id);
  expect(second.history.map(({ role, parts }) => [role, ...contents(parts)])).toEqual([
    [Role.ROLE_USER, "one"],
    [Role.ROLE_AGENT, "message 1"],
    [Role.ROLE_USER, "two"],
    [Role.ROLE_AGENT, "message 3"],
  ]);
  const asked = await client.getTask({ tenant: "", id: second.id, historyLength: 1 });
  expect(answers(asked)).toEqual(["message 3"]);
  expect(asked.history.map(({ parts }) => contents(parts))).toEqual([["message 3"]]);
  expect(answers(await client.getTask({ tenant: "", id: first.id }))).toEqual(["message 1"]);
});

test("data is the graph's input, and its state the answer", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const client = await connect(server, "shout");
  expect(answers(await send(client, message(data({ text: "a" }))))).toEqual([{ text: "a!" }]);
  await expect(send(client, message(text("a")))).rejects.toThrow(
    "the agent's input has no messages for text",
  );
});

test("a graph that interrupts needs input, and the answer goes on with its task", async () => {
  await using server = await startServer({ graphs: [{ name: "asking", graph: asking }] });
  const client = await connect(server, "asking");
  const waiting = await send(client, message(data({ text: "May I?" })));
  expect(waiting.status?.state).toBe(TaskState.TASK_STATE_INPUT_REQUIRED);
  expect(contents(waiting.status?.message?.parts)).toEqual([{ question: "May I?" }]);
  await expect(
    send(client, message(text("Yes"), { taskId: waiting.id, contextId: "another" })),
  ).rejects.toThrow("the task is of another context");
  const done = await send(client, message(text("Yes"), { taskId: waiting.id, contextId: waiting.contextId }));
  expect([done.id, done.status?.state]).toEqual([waiting.id, TaskState.TASK_STATE_COMPLETED]);
  expect(answers(done)).toEqual([{ text: "May I? Yes" }]);
  expect(answers(await client.getTask({ tenant: "", id: waiting.id }))).toEqual([{ text: "May I? Yes" }]);
});

test("a graph that fails is a task that failed, and tells nothing of why", async () => {
  await using server = await startServer({ graphs: [{ name: "failing", graph: failing }] });
  const client = await connect(server, "failing");
  const task = await send(client, message(data({ text: "a" })));
  expect(task.status?.state).toBe(TaskState.TASK_STATE_FAILED);
  expect(JSON.stringify(contents(task.status?.message?.parts))).toMatch(/Graph execution failed.*error id/);
  expect(JSON.stringify(task)).not.toContain("secret of the graph");
});

test("a task in the background is asked for, and can be stopped", async () => {
  const { graph, open, entered } = gated();
  await using server = await startServer({ graphs: [{ name: "slow", graph }] });
  const client = await connect(server, "slow");
  const configuration = {
    acceptedOutputModes: [],
    taskPushNotificationConfig: undefined,
    returnImmediately: true,
  };
  const begun = await send(client, { ...message(data({ text: "a" })), configuration });
  await entered;
  const working = await client.getTask({ tenant: "", id: begun.id });
  expect(working.status?.state).toBe(TaskState.TASK_STATE_WORKING);
  await expect(
    send(client, message(data({ text: "b" }), { taskId: begun.id, contextId: begun.contextId })),
  ).rejects.toThrow("being worked on");
  const stopped = await client.cancelTask({ tenant: "", id: begun.id, metadata: undefined });
  expect(stopped.status?.state).toBe(TaskState.TASK_STATE_CANCELED);
  await expect(client.cancelTask({ tenant: "", id: begun.id, metadata: undefined })).rejects.toThrow(
    "is not being worked on",
  );
  open();
});

test("a task that outlives its call is still worked on, and asked for later", async () => {
  const { graph, open } = gated();
  await using host = await startHost([{ name: "slow", graph }], 1_000);
  const client = await connect(host, "slow");
  const { id, status } = await send(client, message(data({ text: "a" })));
  expect([TaskState.TASK_STATE_WORKING, TaskState.TASK_STATE_SUBMITTED]).toContain(status?.state);
  open();
  const later = async () => answers(await client.getTask({ tenant: "", id }));
  await expect.poll(later, { timeout: 30_000 }).toEqual([{ text: "a after all" }]);
}, 40_000);

/** What a stream tells, each event by its kind. */
async function streamed(client: Client, request: SendMessageRequest): Promise<readonly unknown[]> {
  const told: unknown[] = [];
  for await (const { payload } of client.sendMessageStream(request)) {
    if (payload?.$case === "task") told.push(["task", payload.value.status?.state]);
    if (payload?.$case === "artifactUpdate")
      told.push([payload.value.append, ...contents(payload.value.artifact?.parts)]);
    if (payload?.$case === "statusUpdate") told.push(["status", payload.value.status?.state]);
  }
  return told;
}

test("a stream begins with the task, tells the answer as it grows, and ends with its state", async () => {
  await using server = await startServer({
    graphs: [
      { name: "chat", graph: talking("Hello") },
      { name: "shout", graph: shout },
    ],
  });
  expect(await streamed(await connect(server, "chat"), message(text("Hi")))).toEqual([
    ["task", TaskState.TASK_STATE_WORKING],
    [false, "H"],
    ...["e", "l", "l", "o"].map((letter) => [true, letter]),
    ["status", TaskState.TASK_STATE_COMPLETED],
  ]);
  expect(await streamed(await connect(server, "shout"), message(data({ text: "a" })))).toEqual([
    ["task", TaskState.TASK_STATE_WORKING],
    [false, { text: "a!" }],
    ["status", TaskState.TASK_STATE_COMPLETED],
  ]);
});

test("an answer that is not what the model said takes its place", async () => {
  const model = new FakeListChatModel({ responses: ["ab"] });
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("think", async ({ messages }) => {
      await model.invoke(messages);
      return { messages: [new AIMessage("Something else")] };
    })
    .addEdge(START, "think")
    .compile();
  await using server = await startServer({ graphs: [{ name: "think", graph }] });
  expect(await streamed(await connect(server, "think"), message(text("Hi")))).toEqual([
    ["task", TaskState.TASK_STATE_WORKING],
    [false, "a"],
    [true, "b"],
    [false, "Something else"],
    ["status", TaskState.TASK_STATE_COMPLETED],
  ]);
});

async function rpc(server: TestServer, path: string, body: unknown, init?: RequestInit) {
  return server.post(path, body, init);
}

const SEND = {
  jsonrpc: "2.0",
  id: 7,
  method: "message/send",
  params: { message: { role: "user", messageId: "m", parts: [{ kind: "data", data: { text: "a" } }] } },
};

test("what is wrong with a request has the code of the protocol", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const code = async (body: unknown) => (await rpc(server, "/a2a/shout", body)).body;
  const refused = (code: number, id: unknown = 7) => ({ jsonrpc: "2.0", id, error: { code } });
  const file = { kind: "file", file: { uri: "https://example.com/a" } };
  const message = { ...SEND.params.message, parts: [file] };
  const task = { id: "5bc3f2d0-0000-4000-8000-000000000000" };
  const context = { message: { ...SEND.params.message, contextId: "caf\u00e9" } };
  expect(await code("{")).toMatchObject(refused(-32700, null));
  expect(await code({ hello: "there" })).toMatchObject(refused(-32600, null));
  expect(await code({ ...SEND, method: "tasks/whisper" })).toMatchObject(refused(-32601));
  expect(await code({ ...SEND, params: {} })).toMatchObject(refused(-32602));
  expect(await code({ ...SEND, params: { message } })).toMatchObject(refused(-32005));
  expect(await code({ ...SEND, params: context })).toMatchObject(refused(-32602));
  expect(await code({ ...SEND, method: "tasks/get", params: task })).toMatchObject(refused(-32001));
  expect(await code({ ...SEND, method: "tasks/get", params: { id: "none" } })).toMatchObject(refused(-32001));
  const configuration = { pushNotificationConfig: { url: "https://example.com" } };
  expect(await code({ ...SEND, params: { ...SEND.params, configuration } })).toMatchObject(refused(-32003));
  expect(await code(SEND)).toMatchObject({ id: 7, result: { kind: "task", status: { state: "completed" } } });
  expect((await rpc(server, "/a2a/whisper", SEND)).status).toBe(404);
  expect((await server.get("/a2a/shout")).status).toBe(405);
});

test("a task is another assistant's secret", async () => {
  await using server = await startServer({
    graphs: [
      { name: "shout", graph: shout },
      { name: "other", graph: shout },
    ],
  });
  const { id } = await send(await connect(server, "shout"), message(data({ text: "a" })));
  await expect((await connect(server, "other")).getTask({ tenant: "", id })).rejects.toThrow("not found");
});

test("a card and an agent open to the key of their graph", async () => {
  const graphs = (["function", "admin"] as const).map((authLevel) => ({
    name: authLevel,
    graph: shout,
    authLevel,
  }));
  const local = { keys: { function: "function-key", admin: "admin-key" } };
  await using server = await startServer({ graphs, local });
  const card = async (name: string, key: string) =>
    server.get(`/.well-known/agent-card.json?assistant_id=${name}`, { headers: { "x-functions-key": key } });
  expect((await card("function", "")).status).toBe(401);
  expect((await card("admin", "function-key")).status).toBe(403);
  expect((await card("whisper", "admin-key")).status).toBe(404);
  expect((await card("function", "function-key")).body).toMatchObject({
    protocolVersion: "0.3.0",
    name: "function",
    url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/api\/a2a\/[\da-f-]{36}$/),
    securitySchemes: { functionKey: { name: "x-functions-key" } },
  });
  expect((await rpc(server, "/a2a/admin?code=function-key", SEND)).status).toBe(403);
  expect((await rpc(server, "/a2a/admin?code=admin-key", SEND)).body).toMatchObject({ result: {} });
});

test("where it is turned off, there is nothing", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }], disable: ["a2a"] });
  expect((await rpc(server, "/a2a/shout", SEND)).status).toBe(404);
  expect((await server.get("/.well-known/agent-card.json?assistant_id=shout")).status).toBe(404);
});

test("where streams are buffered, they come at once", async () => {
  await using server = await startServer({
    graphs: [{ name: "shout", graph: shout }],
    streaming: "buffered",
  });
  expect(await streamed(await connect(server, "shout"), message(data({ text: "a" })))).toHaveLength(3);
  expect((await rpc(server, "/a2a/shout", SEND)).body).toMatchObject({ result: { kind: "task" } });
});
