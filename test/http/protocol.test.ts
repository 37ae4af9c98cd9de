import { randomUUID } from "node:crypto";
import { LangGraphApp, type GraphOptions } from "langgraph-functions";
import { serveLocally } from "langgraph-functions/local";
import { expect, test } from "vitest";
import { asking, echo, failing, gated, shout, telling } from "../support/graphs.ts";
import { nested as nestedAsking } from "../support/nested-graph.ts";
import { command, dataOf, isEnd, isEndOf, openStream, outline, startRun } from "../support/protocol.ts";
import { startServer } from "../support/server.ts";
import { nested, talking } from "../support/streaming-graphs.ts";

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
  expect(events.map(({ event_id }) => event_id)).toEqual([
    `synth:${run_id}:1`,
    ...["2", "3", "4", "5", "6", "7", "8"],
    `synth:${run_id}:9`,
  ]);
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

test("a new stream begins with the newest run; since asks for what came before it", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  for (const word of ["a", "b"]) {
    await startRun(server, "t", { assistant_id: "shout", input: { text: word } });
    await using stream = await openStream(server, "t", { channels: ["values", "lifecycle"] });
    expect(dataOf(await stream.until(isEnd), "values").at(-1)).toEqual({ text: `${word}!` });
  }
  await using all = await openStream(server, "t", { channels: ["values", "lifecycle"], since: 0 });
  const events = await all.until(isEndOf(2));
  expect(dataOf(events, "values")).toEqual([{ text: "a" }, { text: "a!" }, { text: "b" }, { text: "b!" }]);
  const since = events[2]?.seq;
  await using rest = await openStream(server, "t", { channels: ["values", "lifecycle"], since });
  expect(await rest.until(isEnd)).toEqual(events.slice(3, events.findIndex(isEnd) + 1));
});

test("a run that waited behind another is told of together with it", async () => {
  const gate = gated();
  const graphs = [
    { name: "gated", graph: gate.graph },
    { name: "shout", graph: shout },
  ];
  await using server = await startServer({ graphs });
  await startRun(server, "t", { assistant_id: "gated", input: text });
  await gate.entered;
  await startRun(server, "t", { assistant_id: "shout", input: { text: "b" } });
  gate.open();
  await using live = await openStream(server, "t");
  const events = await live.until(isEndOf(2));
  await using late = await openStream(server, "t");
  expect(await late.until(isEndOf(2))).toEqual(events);
  expect(dataOf(events, "values").at(-1)).toEqual({ text: "b!" });
});

test("a stream carries the channels that it was opened for", async () => {
  const graph = telling({ at: 1 }, { name: "progress", payload: 2 }, { name: "other", payload: 3 });
  await using server = await startServer({ graphs: [{ name: "telling", graph }] });
  await startRun(server, "t", { assistant_id: "telling", input: text });
  const filtered = async (...channels: readonly string[]) => {
    await using stream = await openStream(server, "t", { channels: [...channels, "lifecycle"] });
    return (await stream.until(isEnd)).slice(1, -1).map(({ method, params: { data } }) => [method, data]);
  };
  const custom = [
    ["custom", { payload: { at: 1 } }],
    ["custom", { name: "progress", payload: 2 }],
    ["custom", { name: "other", payload: 3 }],
  ];
  expect(await filtered("custom")).toEqual(custom);
  expect(await filtered("custom:progress")).toEqual([custom[1]]);
  expect(await filtered("custom:progress", "custom:other")).toEqual(custom.slice(1));
  expect(await filtered("updates")).toEqual([["updates", { text: "a" }]]);
  expect(await filtered("custom:prog")).toEqual([]);
});

test("a stream carries the namespaces that it was opened for, so many levels deep", async () => {
  await using server = await startServer({ graphs: [{ name: "nested", graph: nested }] });
  await using all = await openStream(server, "t");
  await startRun(server, "t", { assistant_id: "nested", input: text });
  const events = await all.until(isEnd);
  expect(outline(events)).toContain("values sub");
  const [place = ""] = events.find(({ params }) => params.namespace.length > 0)?.params.namespace ?? [];
  const filtered = async (filter: object, last: (typeof events)[number] | undefined) => {
    await using stream = await openStream(server, "t", filter);
    const seen = await stream.until(({ seq }) => seq === last?.seq);
    return seen;
  };
  const within = events.filter(({ params }) => params.namespace.length === 1);
  const root = events.filter(({ params }) => params.namespace.length === 0);
  expect(await filtered({ namespaces: [["sub"]] }, within.at(-1))).toEqual(within);
  expect(await filtered({ namespaces: [[place]] }, within.at(-1))).toEqual(within);
  expect(await filtered({ namespaces: [[]], depth: 0 }, root.at(-1))).toEqual(root);
  expect(await filtered({ namespaces: [[]], depth: 1 }, events.at(-1))).toEqual(events);
  expect(await filtered({ namespaces: [["last"], ["sub"]], depth: 0 }, within.at(-1))).toEqual(within);
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

test("an interrupt is asked on the channel input, waits with the thread, and is answered", async () => {
  await using server = await startServer({ graphs: [{ name: "asking", graph: asking }] });
  await using stream = await openStream(server, "t");
  await startRun(server, "t", { assistant_id: "asking", input: text });
  const asked = await stream.until(isEnd);
  expect(outline(asked).slice(-3)).toEqual(["input.requested", "tasks", "lifecycle interrupted"]);
  const [request] = dataOf(asked, "input.requested");
  expect(request).toEqual({ interrupt_id: expect.any(String), payload: { question: "a" } });
  expect(JSON.stringify(dataOf(asked, "values"))).not.toContain("__interrupt__");
  expect((await server.get("/threads/t")).body).toMatchObject({
    status: "interrupted",
    values: { text: "a" },
  });

  const { interrupt_id } = request as { interrupt_id: string };
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
  const [request] = dataOf(await there.until(isEnd), "input.requested");
  const { interrupt_id } = request as { interrupt_id: string };
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

test("a long log is read in pages, without a gap or a double", async () => {
  const many = Array.from({ length: 1_200 }, (_, count) => ({ count }));
  const graph = telling(
    ...many,
    { name: "big", payload: "x".repeat(3_000_000) },
    { name: "big", payload: 2 },
  );
  await using server = await startServer({ graphs: [{ name: "telling", graph }] });
  await startRun(server, "t", { assistant_id: "telling", input: text });
  await using live = await openStream(server, "t");
  const whole = await live.until(isEnd);
  await using late = await openStream(server, "t");
  expect(await late.until(isEnd)).toEqual(whole);
  await using sparse = await openStream(server, "t", { channels: ["custom:big", "lifecycle"] });
  expect(outline(await sparse.until(isEnd))).toEqual([
    "lifecycle running",
    "custom",
    "custom",
    "lifecycle completed",
  ]);
});

test("whatever a state holds comes whole", async () => {
  await using server = await startServer({ graphs: [{ name: "echo", graph: echo }] });
  const value = { "ä|b": ['"\n\u2028', null, 1.5, { nested: [[]] }] };
  await using stream = await openStream(server, "t", { channels: ["values", "lifecycle"] });
  await startRun(server, "t", { assistant_id: "echo", input: { value } });
  expect(dataOf(await stream.until(isEnd), "values").at(-1)).toEqual({ value });
});

test("a stream where nothing can be streamed comes when the run has ended", async () => {
  const graphs = [{ name: "shout", graph: shout }];
  await using server = await startServer({ graphs, streaming: "buffered" });
  const opened = openStream(server, "t", { channels: ["values"] });
  await startRun(server, randomUUID(), { assistant_id: "shout", input: text });
  await startRun(server, "t", { assistant_id: "shout", input: text });
  await using stream = await opened;
  expect(dataOf(await stream.until(), "values")).toEqual([{ text: "a" }, { text: "a!" }]);
});
