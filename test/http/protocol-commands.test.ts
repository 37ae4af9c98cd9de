import { once } from "node:events";
import { request } from "node:http";
import { Annotation, type LangGraphRunnableConfig, START, StateGraph } from "@langchain/langgraph";
import { expect, test } from "vitest";
import { z } from "zod";
import { abortable, asking, counter, doubler, echo, gated, shout } from "../support/graphs.ts";
import { nested as nestedAsking } from "../support/nested-graph.ts";
import {
  command,
  dataOf,
  isEnd,
  isEndOf,
  openStream,
  runsOf,
  runToEnd,
  sendCommand,
  startRun,
  stateOf,
} from "../support/protocol.ts";
import { startServer } from "../support/server.ts";

const text = { text: "a" };

test("a command is answered with its number, and with how far the thread had come", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const params = { assistant_id: "shout", input: text };
  const { status, body } = await sendCommand(server, "t", { id: 41, method: "run.start", params: params });
  expect([status, body]).toEqual([
    200,
    {
      type: "success",
      id: 41,
      result: { run_id: expect.any(String) },
      meta: { thread_id: "t", applied_through_seq: 0 },
    },
  ]);
  await using stream = await openStream(server, "t");
  const last = (await stream.until(isEnd)).at(-1);
  const { body: after } = await sendCommand(server, "t", {
    id: 42,
    method: "state.get",
    params: { namespace: [] },
  });
  expect(after).toMatchObject({ id: 42, meta: { applied_through_seq: last?.seq } });
});

test("a run that was started by a command is a run like every other", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const metadata = { purpose: "test" };
  const run_id = await startRun(server, "t", { assistant_id: "shout", input: text, metadata });
  await server.get(`/threads/t/runs/${run_id}/join`);
  expect((await server.get(`/threads/t/runs/${run_id}`)).body).toMatchObject({
    run_id,
    thread_id: "t",
    status: "success",
    multitask_strategy: "enqueue",
    metadata: { purpose: "test", graph_id: "shout", created_by: "system" },
  });
  expect((await server.get("/threads/t")).body).toMatchObject({ status: "idle", values: { text: "a!" } });
});

test("config and metadata reach the graph; the thread is the path's", async () => {
  const graph = new StateGraph(Annotation.Root({ told: Annotation<unknown> }))
    .addNode("look", (_, { configurable, metadata, recursionLimit }: LangGraphRunnableConfig) => ({
      told: { color: configurable?.["color"], by: metadata?.["by"], recursionLimit },
    }))
    .addEdge(START, "look")
    .compile();
  await using server = await startServer({ graphs: [{ name: "look", graph }] });
  const config = { configurable: { color: "red", thread_id: "t" }, recursion_limit: 7 };
  const params = { assistant_id: "look", input: {}, config, metadata: { by: "me" } };
  await runToEnd(server, "t", params);
  expect(await stateOf(server, "t")).toEqual({ told: { color: "red", by: "me", recursionLimit: 7 } });
  const { body } = await command(server, "other", "run.start", params);
  expect(body).toMatchObject({ type: "error", error: "invalid_argument" });
  expect(body["message"]).toContain("config.configurable.thread_id");
});

test("the same command, sent again while its run is active, is no second run", async () => {
  const gate = gated();
  await using server = await startServer({ graphs: [{ name: "gated", graph: gate.graph }] });
  const params = { assistant_id: "gated", input: text };
  const send = async () => sendCommand(server, "t", { id: 1, method: "run.start", params: params });
  const answers = await Promise.all([send(), send(), send()]);
  await gate.entered;
  answers.push(await send());
  expect(new Set(answers.map(({ body }) => JSON.stringify(body["result"]))).size).toBe(1);
  expect(await runsOf(server, "t")).toHaveLength(1);
  await sendCommand(server, "t", { id: 2, method: "run.start", params: params });
  await sendCommand(server, "t", { id: 1, method: "run.start", params: { ...params, input: { text: "b" } } });
  expect(await runsOf(server, "t")).toHaveLength(3);
  gate.open();
  await using stream = await openStream(server, "t");
  await stream.until(isEndOf(3));
  await startRun(server, "t", params); // what is over may be asked for again
  expect(await runsOf(server, "t")).toHaveLength(4);
});

test("runs that come while one is active wait, take its place, or are refused", async () => {
  const { graph, entered, aborted } = abortable();
  const graphs = [
    { name: "abortable", graph },
    { name: "shout", graph: shout },
  ];
  await using server = await startServer({ graphs });
  await using stream = await openStream(server, "t", { channels: ["lifecycle"] });
  await startRun(server, "t", { assistant_id: "abortable", input: text });
  await entered;
  const params = { assistant_id: "shout", input: text };
  const { body } = await command(server, "t", "run.start", { ...params, multitaskStrategy: "reject" });
  expect(body).toMatchObject({ type: "error", error: "invalid_argument" });
  await startRun(server, "t", { ...params, multitask_strategy: "interrupt" });
  await aborted;
  const events = dataOf(await stream.until(isEndOf(2)), "lifecycle");
  expect(events).toMatchObject([
    { event: "running" },
    { event: "interrupted" },
    { event: "running" },
    { event: "completed" },
  ]);
});

test("a run that is cancelled is told to be interrupted, whether it is kept or undone", async () => {
  for (const action of ["interrupt", "rollback"]) {
    const { graph, entered } = abortable();
    await using server = await startServer({ graphs: [{ name: "abortable", graph }] });
    await using stream = await openStream(server, "t", { channels: ["lifecycle"] });
    const run_id = await startRun(server, "t", { assistant_id: "abortable", input: text });
    await entered;
    await server.post(`/threads/t/runs/${run_id}/cancel?action=${action}`, {});
    const events = await stream.until(isEnd);
    expect(dataOf(events, "lifecycle").at(-1)).toMatchObject({ event: "interrupted" });
  }
});

test("a run starts from an earlier checkpoint, by run.start or state.fork", async () => {
  await using server = await startServer({ graphs: [{ name: "counter", graph: counter }] });
  const input = (id: string) => ({ messages: [{ role: "user", content: id, id }] });
  const first = await runToEnd(server, "t", { assistant_id: "counter", input: input("one") });
  const { id: checkpoint_id } = z.object({ id: z.string() }).parse(dataOf(first, "checkpoints").at(-1));
  await runToEnd(server, "t", { assistant_id: "counter", input: input("two") });
  const config = { configurable: { checkpoint_id } };
  const forked = await runToEnd(server, "t", { assistant_id: "counter", input: input("three"), config });
  const said = ["one", "message 1", "three", "message 3"].map((content) => ({ content }));
  expect(dataOf(forked, "values").at(-1)).toMatchObject({ messages: said });

  await using stream = await openStream(server, "t");
  await stream.until(isEnd);
  const { body } = await command(server, "t", "state.fork", { checkpoint_id, input: input("four") });
  expect(body).toMatchObject({ result: { run_id: expect.any(String), thread_id: "t" } });
  await stream.until(isEnd);
  expect(await stateOf(server, "t")).toMatchObject({ messages: [{}, {}, { content: "four" }, {}] });
  const { body: missing } = await command(server, "t", "state.fork", { checkpoint_id: "none" });
  expect(missing).toMatchObject({ type: "error", error: "no_such_checkpoint" });
});

test("the state is read whole, in part, or of a subgraph that waits", async () => {
  await using server = await startServer({
    graphs: [
      { name: "nested", graph: nestedAsking },
      { name: "echo", graph: echo },
    ],
  });
  const events = await runToEnd(server, "t", { assistant_id: "nested", input: text });
  const namespace = events.find(({ method }) => method === "input.requested")?.params.namespace;
  const get = async (params: object, thread = "t") =>
    (await command(server, thread, "state.get", params)).body;
  const checkpoint = { id: expect.any(String), ns: "" };
  expect(await get({})).toMatchObject({ result: { values: { text: "a" }, checkpoint } });
  expect(await get({ namespace })).toMatchObject({
    result: { values: { text: "a" }, checkpoint: { ns: namespace?.join("|") } },
  });
  expect(await get({ namespace: ["nowhere:1"] })).toMatchObject({ error: "no_such_namespace" });
  expect(await get({}, "nobody")).toMatchObject({ error: "no_such_run" });
  await runToEnd(server, "e", { assistant_id: "echo", input: { value: 1, text: 2 } });
  expect(await get({ keys: ["text"] }, "e")).toMatchObject({ result: { values: { text: 2 } } });
  expect((await get({ keys: ["text"] }, "e"))["result"]).not.toHaveProperty("values.value");
});

test("checkpoints are listed, the newest first", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  await runToEnd(server, "t", { assistant_id: "shout", input: text });
  const list = async (params: object) =>
    z
      .object({ result: z.object({ checkpoints: z.array(z.looseObject({ id: z.string() })) }) })
      .parse((await command(server, "t", "state.listCheckpoints", params)).body).result.checkpoints;
  const all = await list({});
  expect(all).toMatchObject([{ step: 1 }, { step: 0 }, { step: -1 }]);
  expect(await list({ limit: 1 })).toEqual(all.slice(0, 1));
  expect(await list({ before: all[0]?.id })).toEqual(all.slice(1));
});

test("the tree tells how far the newest run and its subgraphs have come", async () => {
  await using server = await startServer({ graphs: [{ name: "nested", graph: nestedAsking }] });
  const tree = async () => (await command(server, "t", "agent.getTree")).body;
  expect(await tree()).toMatchObject({ type: "error", error: "no_such_run" });
  await runToEnd(server, "t", { assistant_id: "nested", input: text });
  expect(await tree()).toMatchObject({
    result: {
      tree: {
        namespace: [],
        status: "interrupted",
        graph_name: "nested",
        children: [{ namespace: [expect.stringMatching(/^child:/)], graph_name: "child" }],
      },
    },
  });
});

test("what is not to be had is refused with a reason", async () => {
  await using server = await startServer({ graphs: [{ name: "doubler", graph: doubler }] });
  const error = async (method: string, params = {}) =>
    (await command(server, "t", method, params)).body["error"];
  for (const method of ["subscription.subscribe", "subscription.reconnect", "input.inject"])
    expect(await error(method)).toBe("not_supported");
  expect(await error("run.stop")).toBe("unknown_command");
  expect(await error("run.start")).toBe("invalid_argument");
  const unknown = await command(server, "t", "run.start", { assistant_id: "doubler", input: {}, colour: 1 });
  expect(unknown.body["message"]).toContain("colour");
  const missing = await sendCommand(server, "t", {
    id: 5,
    method: "run.start",
    params: { assistant_id: "nope", input: {} },
  });
  expect(missing).toMatchObject({ status: 404, body: { type: "error", id: 5, error: "invalid_argument" } });
  expect((await server.get("/threads/t")).status).toBe(404); // nothing was made
});

test("what is no command is a bad request, in the protocol's own form", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  for (const body of [
    "{",
    "[]",
    "{}",
    '{"id":-1,"method":"run.start"}',
    '{"id":1}',
    '{"id":"1","method":"x"}',
  ]) {
    const answer = await server.post("/threads/t/commands", body);
    expect(answer).toMatchObject({
      status: 400,
      body: { type: "error", id: null, error: "invalid_argument" },
    });
  }
  const filters = [{}, { channels: [] }, { channels: [1] }, { channels: ["values"], depth: -1 }];
  for (const filter of filters)
    expect((await server.post("/threads/t/stream/events", filter)).status).toBe(422);
});

test("an input that the graph's schema refuses is refused by the command", async () => {
  const inputSchema = z.object({ text: z.string().default("default") });
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout, inputSchema }] });
  const { body } = await command(server, "t", "run.start", { assistant_id: "shout", input: { text: 1 } });
  expect(body).toMatchObject({ type: "error", error: "invalid_argument" });
  expect(body["message"]).toContain("input.text");
  await runToEnd(server, "t", { assistant_id: "shout", input: {} });
  expect(await stateOf(server, "t")).toEqual({ text: "default!" });
});

test("a WebSocket is refused with a word on what to do instead", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const { status, body } = await server.get("/threads/t/stream/events");
  expect(status).toBe(405);
  expect(body).toMatchObject({ detail: expect.stringContaining("Server-Sent Events") });
  const headers = { connection: "Upgrade", upgrade: "websocket" };
  const asked = request(`${server.url}/threads/t/stream/events`, { headers }).end();
  const [response] = await once(asked, "response");
  expect(response).toMatchObject({ statusCode: 405, headers: { allow: "POST" } });
  asked.destroy();
});

test("a thread of a graph that asks for a key tells nothing without it", async () => {
  const graphs = [
    { name: "open", graph: shout, authLevel: "anonymous" },
    { name: "closed", graph: asking, authLevel: "function" },
  ] as const;
  const local = { keys: { function: "function-key" } };
  await using server = await startServer({ graphs, authLevel: "anonymous", local });
  const init = { headers: { "content-type": "application/json", "x-functions-key": local.keys.function } };
  const body = { id: 1, method: "run.start", params: { assistant_id: "closed", input: text } };
  const refused = async () => {
    const filter = { channels: ["values"] };
    expect((await server.post("/threads/t/stream/events", filter)).status).toBe(401);
    for (const method of ["run.start", "state.get", "agent.getTree", "input.respond", "state.fork"])
      expect((await server.post("/threads/t/commands", { ...body, method })).status).toBe(401);
  };
  await refused();
  expect((await server.post("/threads/t/commands", body, init)).status).toBe(200);
  await refused();
});
