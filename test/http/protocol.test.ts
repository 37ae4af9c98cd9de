import { AIMessageChunk } from "@langchain/core/messages";
import { ChatGenerationChunk } from "@langchain/core/outputs";
import { FakeListChatModel } from "@langchain/core/utils/testing";
import { MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { LangGraphApp, type GraphOptions } from "langgraph-functions";
import { serveLocally } from "langgraph-functions/local";
import { expect, test } from "vitest";
import { asking, failing, gated, shout } from "../support/graphs.ts";
import { nested as nestedAsking } from "../support/nested-graph.ts";
import {
  command,
  dataOf,
  isEnd,
  isEndOf,
  openStream,
  outline,
  requestedOf,
  startRun,
} from "../support/protocol.ts";
import { startServer } from "../support/server.ts";
import { talking } from "../support/streaming-graphs.ts";

const text = { text: "a" };

/** Another instance on the same database. */
async function secondInstance(databaseUrl: string, graphs: readonly GraphOptions[]) {
  const app = new LangGraphApp({ logger: silent });
  for (const graph of graphs) app.register(graph);
  return serveLocally(app, { port: 0, databaseUrl });
}

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

test("a run is told of from its beginning to its end, each event with an id", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  await using stream = await openStream(server, "t"); // the thread does not exist yet
  expect(stream.response.headers.get("content-type")).toBe("text/event-stream");
  const run_id = await startRun(server, "t", { assistant_id: "shout", input: text });
  const events = await stream.until(isEnd);
  expect(outline(events)).toEqual([
    "lifecycle running",
    "checkpoints",
    "values",
    "tasks",
    "updates",
    "tasks",
    "checkpoints",
    "values",
    "lifecycle completed",
  ]);
  expect(events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const ids = events.map(({ event_id }) => event_id);
  expect(ids).toEqual([`synth:${run_id}:1`, "2", "3", "4", "5", "6", "7", "8", `synth:${run_id}:9`]);
  expect(dataOf(events, "values")).toEqual([{ text: "a" }, { text: "a!" }]);
  expect(events[4]?.params).toMatchObject({ node: "shout", data: { text: "a!" } });
  expect(dataOf(events, "checkpoints")[1]).toMatchObject({ step: 1, source: "loop" });
});

test("a stream begins at once, before there is anything to tell", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const body = JSON.stringify({ channels: ["values"] });
  const headers = { "content-type": "application/json" };
  const leave = new AbortController();
  const init = { method: "POST", headers, body, signal: leave.signal };
  const response = await fetch(`${server.url}/threads/nobody/stream/events`, init);
  const first = await response.body?.getReader().read();
  expect(new TextDecoder().decode(first?.value)).toMatch(/^:/);
  leave.abort();
});

test("a stream that is opened later has the same events under the same ids", async () => {
  await using server = await startServer({ graphs: [{ name: "talking", graph: talking("Hey") }] });
  await using live = await openStream(server, "t");
  await startRun(server, "t", { assistant_id: "talking", input: { messages: [] } });
  const events = await live.until(isEnd);
  for (let times = 0; times < 2; times += 1) {
    await using replayed = await openStream(server, "t");
    expect(await replayed.until(isEnd)).toEqual(events);
  }
});

test("events go on counting over the runs of a thread, and a stream stays open from one to the next", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  await using stream = await openStream(server, "t", { channels: ["lifecycle", "values"] });
  await startRun(server, "t", { assistant_id: "shout", input: text });
  await startRun(server, "t", { assistant_id: "shout", input: { text: "b" } });
  const events = await stream.until(isEndOf(2));
  expect(dataOf(events, "values")).toEqual([{ text: "a" }, { text: "a!" }, { text: "b" }, { text: "b!" }]);
  const seqs = events.map(({ seq }) => seq);
  expect(seqs).toEqual([...new Set(seqs)].toSorted((one, other) => one - other));
  expect(new Set(events.map(({ event_id }) => event_id)).size).toBe(events.length);
});

test("tokens come as content blocks, and what is saved stays what the model said", async () => {
  await using server = await startServer({ graphs: [{ name: "talking", graph: talking("Hey") }] });
  await using stream = await openStream(server, "t", { channels: ["messages", "values", "lifecycle"] });
  const input = { messages: [{ role: "user", content: "hi" }] };
  await startRun(server, "t", { assistant_id: "talking", input });
  const events = await stream.until(isEnd);
  expect(dataOf(events, "messages")).toMatchObject([
    { event: "message-start", id: expect.stringMatching(/^run-/) },
    { event: "content-block-start", index: 0, content: { type: "text", text: "" } },
    { event: "content-block-delta", delta: { type: "text-delta", text: "H" } },
    { event: "content-block-delta", delta: { type: "text-delta", text: "e" } },
    { event: "content-block-delta", delta: { type: "text-delta", text: "y" } },
    { event: "content-block-finish", content: { type: "text", text: "Hey" } },
    { event: "message-finish" },
  ]);
  const spoken = { messages: [{ content: "hi" }, { type: "ai", content: "Hey" }] };
  expect(dataOf(events, "values").at(-1)).toMatchObject(spoken);
  expect((await server.get("/threads/t/state")).body).toMatchObject({ values: spoken });
});

/** Tells a token that is no part of a message, and then answers or fails. */
class Stuttering extends FakeListChatModel {
  override async *_streamResponseChunks(
    ...[messages, options, runManager]: Parameters<FakeListChatModel["_streamResponseChunks"]>
  ) {
    const message = new AIMessageChunk({ content: JSON.parse("[null]") });
    const chunk = new ChatGenerationChunk({ text: "", message });
    await runManager?.handleLLMNewToken("", undefined, undefined, undefined, undefined, { chunk });
    await new Promise((resolve) => setImmediate(resolve)); // what cannot be told has been tried
    yield* super._streamResponseChunks(messages, options, runManager);
  }
}

test.each([
  [{}, "lifecycle completed"],
  [{ thrownErrorString: "the model failed" }, "lifecycle failed"],
])("a token that cannot be told ends neither the process nor its run: %j", async (options, end) => {
  const model = new Stuttering({ responses: ["Hey"] });
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("speak", async ({ messages }) => ({ messages: [await model.invoke(messages, options)] }))
    .addEdge(START, "speak")
    .compile();
  await using server = await startServer({ graphs: [{ name: "stuttering", graph }] });
  await using stream = await openStream(server, "t", { channels: ["lifecycle"] });
  const unheard: unknown[] = [];
  const hear = (reason: unknown): void => void unheard.push(reason);
  process.on("unhandledRejection", hear);
  await startRun(server, "t", {
    assistant_id: "stuttering",
    input: { messages: [{ role: "user", content: "hi" }] },
  });
  expect(outline(await stream.until(isEnd)).at(-1)).toBe(end);
  process.off("unhandledRejection", hear);
  expect(unheard).toEqual([]);
});

test("an interrupt is asked on the channel input, waits with the thread, and is answered", async () => {
  await using server = await startServer({ graphs: [{ name: "asking", graph: asking }] });
  await using stream = await openStream(server, "t");
  await startRun(server, "t", { assistant_id: "asking", input: text });
  const asked = await stream.until(isEnd);
  expect(outline(asked).slice(-3)).toEqual(["input.requested", "tasks", "lifecycle interrupted"]);
  const requests = dataOf(asked, "input.requested");
  expect(requests).toEqual([{ interrupt_id: expect.any(String), payload: { question: "a" } }]);
  expect(JSON.stringify(dataOf(asked, "values"))).not.toContain("__interrupt__");
  expect((await server.get("/threads/t")).body).toMatchObject({
    status: "interrupted",
    values: { text: "a" },
  });

  const [interrupt_id] = requestedOf(asked);
  const answer = await command(server, "t", "input.respond", {
    namespace: [],
    interrupt_id,
    response: "yes",
  });
  const applied = asked.at(-1)?.seq;
  expect(answer.body).toMatchObject({
    type: "success",
    result: {},
    meta: { thread_id: "t", applied_through_seq: applied },
  });
  const events = await stream.until(isEnd);
  expect(dataOf(events, "values").at(-1)).toEqual({ text: "a yes" });
  expect((await server.get("/threads/t")).body).toMatchObject({ status: "idle", interrupts: {} });
});

test("an interrupt within a subgraph is asked from there, once", async () => {
  await using server = await startServer({ graphs: [{ name: "nested", graph: nestedAsking }] });
  await using stream = await openStream(server, "t", { channels: ["input", "lifecycle"] });
  await startRun(server, "t", { assistant_id: "nested", input: text });
  expect(outline(await stream.until(isEnd))).toEqual([
    "lifecycle running",
    "lifecycle child started",
    "input.requested child",
    "lifecycle child completed",
    "lifecycle interrupted",
  ]);
});

test("a failure is told without the graph's own words, and the run waiting behind it goes on", async () => {
  const graphs = [
    { name: "failing", graph: failing },
    { name: "shout", graph: shout },
  ];
  await using server = await startServer({ graphs });
  await using stream = await openStream(server, "t", { channels: ["lifecycle", "tasks"] });
  await startRun(server, "t", { assistant_id: "failing", input: text });
  await startRun(server, "t", { assistant_id: "shout", input: text });
  const events = await stream.until(isEndOf(2));
  expect(JSON.stringify(events)).not.toContain("secret");
  expect(dataOf(events, "lifecycle")[1]).toEqual({
    event: "failed",
    graph_name: "failing",
    error: expect.stringMatching(/^Graph execution failed \(error id [0-9a-f-]{36}\)$/),
  });
  expect(outline(events).at(-1)).toBe("lifecycle completed");
});

test("two clients follow one thread, each with its own filter", async () => {
  const gate = gated();
  await using server = await startServer({ graphs: [{ name: "gated", graph: gate.graph }] });
  await using one = await openStream(server, "t", { channels: ["values", "lifecycle"] });
  await using other = await openStream(server, "t", { channels: ["updates", "lifecycle"] });
  await startRun(server, "t", { assistant_id: "gated", input: text });
  await gate.entered;
  gate.open();
  expect(outline(await one.until(isEnd))).toEqual([
    "lifecycle running",
    "values",
    "values",
    "lifecycle completed",
  ]);
  expect(outline(await other.until(isEnd))).toEqual(["lifecycle running", "updates", "lifecycle completed"]);
});

test("another instance tells of a run while it executes here, and of its interrupt, which it can answer", async () => {
  const gate = gated();
  const graphs = [
    { name: "gated", graph: gate.graph },
    { name: "asking", graph: asking },
  ];
  await using server = await startServer({ graphs });
  await using other = await secondInstance(server.database.url, graphs);
  await using there = await openStream(other, "t");
  await using here = await openStream(server, "t");
  await startRun(server, "t", { assistant_id: "gated", input: text });
  await gate.entered;
  await there.until(({ method }) => method === "tasks"); // the graph waits still
  gate.open();
  expect(await there.until(isEnd)).toEqual(await here.until(isEnd));

  await startRun(server, "t", { assistant_id: "asking", input: text });
  const [interrupt_id] = requestedOf(await there.until(isEnd));
  await command(other, "t", "input.respond", { namespace: [], interrupt_id, response: "yes" });
  await here.until(isEnd);
  expect(await here.until(isEnd)).toEqual(await there.until(isEnd));
  expect(dataOf(here.seen, "values").at(-1)).toEqual({ text: "a yes" });
});

test("a run that was started by a command can be joined and streamed in the first version of the protocol", async () => {
  await using server = await startServer({ graphs: [{ name: "asking", graph: asking }] });
  const run_id = await startRun(server, "t", { assistant_id: "asking", input: text });
  const joined = await server.get(`/threads/t/runs/${run_id}/join`);
  const interrupts = [{ id: expect.any(String), value: { question: "a" } }];
  expect(joined.body).toEqual({ text: "a", __interrupt__: interrupts });
  const stream = await server.get(`/threads/t/runs/${run_id}/stream`);
  expect(stream.text).toContain('event: values\ndata: {"text":"a"}');
  expect(stream.text).not.toContain("v2|");
});

test("a run of the first version is not told of on a stream of the second", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const body = { assistant_id: "shout", input: text, if_not_exists: "create" };
  await server.post("/threads/t/runs/wait", body);
  await startRun(server, "t", { assistant_id: "shout", input: { text: "b" } });
  await using stream = await openStream(server, "t", { since: 0 });
  expect(dataOf(await stream.until(isEnd), "values")).toEqual([{ text: "b" }, { text: "b!" }]);
});
