/** The official SDK's `client.threads`, method by method, over real HTTP. */

import { Client } from "@langchain/langgraph-sdk";
import { expect, test } from "vitest";
import { asking, counter, shout } from "../support/graphs.ts";
import { nested } from "../support/nested-graph.ts";
import { startServer, type TestServer } from "../support/server.ts";

const graphs = [
  { name: "shout", graph: shout },
  { name: "counter", graph: counter },
  { name: "asking", graph: asking },
  { name: "nested", graph: nested },
];

const connect = ({ url }: TestServer) =>
  new Client({ apiUrl: url, apiKey: null, callerOptions: { maxRetries: 0 } });

function given<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new Error("Something is missing");
  return value;
}

/** Has a graph run on the thread. */
const run = async (server: TestServer, graph: string, thread_id: string, input: object = { text: "a" }) =>
  server.post(`/graphs/${graph}/invoke`, { input, config: { configurable: { thread_id } } });

test("a thread is created, found again, and is empty", async () => {
  await using server = await startServer({ graphs });
  const { threads } = connect(server);
  const created = await threads.create({ metadata: { team: "a" }, graphId: "shout" });
  expect(created).toEqual({
    thread_id: expect.stringMatching(/^[\da-f-]{36}$/),
    created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    updated_at: created.created_at,
    state_updated_at: created.created_at,
    metadata: { team: "a", graph_id: "shout" },
    config: {},
    status: "idle",
    values: null,
    interrupts: {},
  });
  expect(await threads.get(created.thread_id)).toEqual(created);
  expect(await threads.getState(created.thread_id)).toEqual({
    values: {},
    next: [],
    tasks: [],
    metadata: {},
    created_at: null,
    checkpoint: null,
    parent_checkpoint: null,
    interrupts: [],
  });
  expect(await threads.getHistory(created.thread_id)).toEqual([]);
});

test("a thread that exists is refused, or given as it is", async () => {
  await using server = await startServer({ graphs });
  const { threads } = connect(server);
  const first = await threads.create({ threadId: "mine", metadata: { a: 1 } });
  await expect(threads.create({ threadId: "mine" })).rejects.toThrow("409");
  expect(await threads.create({ threadId: "mine", metadata: { a: 2 }, ifExists: "do_nothing" })).toEqual(
    first,
  );
});

test("metadata is laid over what is there, key by key", async () => {
  await using server = await startServer({ graphs });
  const { threads } = connect(server);
  const { thread_id, updated_at } = await threads.create({ metadata: { a: { x: 1 }, b: 1 } });
  const updated = await threads.update(thread_id, { metadata: { a: { y: 2 }, c: null } });
  expect(updated.metadata).toEqual({ a: { y: 2 }, b: 1, c: null });
  expect(Date.parse(updated.updated_at)).toBeGreaterThanOrEqual(Date.parse(updated_at));
  await threads.patchState(thread_id, { d: 4 });
  await threads.update(thread_id, { metadata: { e: 5 }, returnMinimal: true });
  expect((await threads.get(thread_id)).metadata).toEqual({ a: { y: 2 }, b: 1, c: null, d: 4, e: 5 });
});

test("a deleted thread is gone, with its state", async () => {
  await using server = await startServer({ graphs });
  const { threads } = connect(server);
  await run(server, "shout", "t");
  await threads.delete("t");
  await expect(threads.get("t")).rejects.toThrow("404");
  await expect(threads.getState("t")).rejects.toThrow("404");
  await expect(threads.delete("t")).rejects.toThrow("404");
  await threads.create({ threadId: "t", graphId: "shout" });
  expect(await threads.getHistory("t")).toEqual([]);
});

test("threads are pruned by id", async () => {
  await using server = await startServer({ graphs });
  const { threads } = connect(server);
  for (const threadId of ["a", "b", "c"]) await threads.create({ threadId });
  expect(await threads.prune(["a", "b", "nowhere"])).toEqual({ pruned_count: 2 });
  expect(await threads.count()).toBe(1);
});

test("threads are searched by metadata, values, status and id, sorted, in pages and by field", async () => {
  await using server = await startServer({ graphs });
  const { threads } = connect(server);
  await threads.create({ threadId: "a", metadata: { team: "x", deep: { n: 1, m: 2 } } });
  await threads.create({ threadId: "b", metadata: { team: "y" } });
  await run(server, "shout", "c");
  await run(server, "asking", "d");
  const ids = async (query: Parameters<typeof threads.search>[0]) =>
    (await threads.search(query)).map(({ thread_id }) => thread_id);
  expect(await ids({})).toEqual(["d", "c", "b", "a"]);
  expect(await ids({ metadata: { deep: { n: 1 } } })).toEqual(["a"]);
  expect(await ids({ metadata: { graph_id: "shout" } })).toEqual(["c"]);
  expect(await ids({ values: { text: "a!" } })).toEqual(["c"]);
  expect(await ids({ status: "interrupted" })).toEqual(["d"]);
  expect(await ids({ ids: ["b", "c", "nowhere"], sortBy: "thread_id", sortOrder: "asc" })).toEqual([
    "b",
    "c",
  ]);
  expect(await ids({ sortBy: "created_at", sortOrder: "asc", limit: 2, offset: 1 })).toEqual(["b", "c"]);
  await threads.update("a", { metadata: { seen: true } });
  expect((await ids({ sortBy: "updated_at" }))[0]).toBe("a");
  expect((await ids({ sortBy: "state_updated_at" }))[0]).toBe("d");
  expect(await threads.search({ ids: ["d"], select: ["thread_id", "status"] })).toEqual([
    { thread_id: "d", status: "interrupted" },
  ]);
  expect(Object.values((await threads.get("d")).interrupts)).toEqual([
    [{ id: expect.any(String), value: { question: "a" } }],
  ]);
  expect(await threads.count({ metadata: { team: "x" } })).toBe(1);
  expect(await threads.count({ status: "idle" })).toBe(3);
  expect(await threads.count({ values: { text: "a" } })).toBe(1);
});

test("the state of a thread that waits says for what, and each of its checkpoints can be read", async () => {
  await using server = await startServer({ graphs });
  const { threads } = connect(server);
  await run(server, "asking", "t");
  const state = await threads.getState("t");
  const aCheckpoint = {
    thread_id: "t",
    checkpoint_ns: "",
    checkpoint_id: expect.any(String),
    checkpoint_map: null,
  };
  const interrupt = { id: expect.any(String), value: { question: "a" } };
  expect(state).toEqual({
    values: { text: "a" },
    next: ["ask"],
    tasks: [
      {
        id: expect.any(String),
        name: "ask",
        path: ["__pregel_pull", "ask"],
        error: null,
        interrupts: [interrupt],
        checkpoint: null,
        state: null,
        result: null,
      },
    ],
    metadata: expect.objectContaining({ graph_id: "asking", source: "loop", step: 0 }),
    created_at: expect.any(String),
    checkpoint: aCheckpoint,
    parent_checkpoint: aCheckpoint,
    interrupts: [interrupt],
  });
  const history = await threads.getHistory("t");
  expect(history.map(({ next }) => next)).toEqual([["ask"], ["__start__"]]);
  expect(history[0]).toEqual(state);
  const [, oldest] = history;
  expect(oldest).toMatchObject({ parent_checkpoint: null, metadata: { source: "input" } });
  const { checkpoint } = given(oldest);
  expect(await threads.getState("t", given(checkpoint.checkpoint_id))).toEqual(oldest);
  expect(await threads.getState("t", checkpoint)).toEqual(oldest);
});

test("history goes back from a checkpoint, in pages, or by the checkpoints' metadata", async () => {
  await using server = await startServer({ graphs });
  const { threads } = connect(server);
  await run(server, "shout", "t");
  await run(server, "shout", "t");
  const all = await threads.getHistory("t");
  expect(all.map(({ metadata }) => metadata?.["step"])).toEqual([4, 3, 2, 1, 0, -1]);
  const [, second, third] = all;
  expect(await threads.getHistory("t", { limit: 2 })).toEqual(all.slice(0, 2));
  const before = { configurable: { checkpoint_id: given(given(second).checkpoint.checkpoint_id) } };
  expect(await threads.getHistory("t", { limit: 1, before })).toEqual([third]);
  expect(await threads.getHistory("t", { metadata: { source: "input" } })).toEqual([all[2], all[5]]);
  expect(await threads.getHistory("t", { checkpoint: { checkpoint_ns: "nowhere" } })).toEqual([]);
});

test("the state of a subgraph comes with its parent's, or is asked for by its checkpoint", async () => {
  await using server = await startServer({ graphs });
  const { threads } = connect(server);
  await run(server, "nested", "t");
  const [task] = (await threads.getState("t")).tasks;
  const checkpoint_ns = `child:${given(task).id}`;
  expect(task).toMatchObject({ name: "child", state: null, checkpoint: { thread_id: "t", checkpoint_ns } });
  const [whole] = (await threads.getState("t", undefined, { subgraphs: true })).tasks;
  expect(whole).toMatchObject({
    checkpoint: null,
    state: { next: ["inner"], checkpoint: { checkpoint_ns } },
  });
  const child = await threads.getState("t", given(given(task).checkpoint));
  expect(child).toMatchObject({ next: ["inner"], values: { text: "a" }, interrupts: [{ value: "inner a" }] });
  expect(await threads.getHistory("t", { checkpoint: { checkpoint_ns } })).toMatchObject([
    { next: ["inner"] },
    { next: ["__start__"] },
  ]);
});

test("a state is edited as if a node had answered, and the thread shows it", async () => {
  await using server = await startServer({ graphs });
  const { threads } = connect(server);
  await run(server, "asking", "t");
  const edited = await threads.updateState("t", {
    values: { text: "edited" },
    asNode: "ask",
  });
  expect(await threads.getState("t")).toMatchObject({
    values: { text: "edited" },
    next: [],
    ...edited,
    metadata: { source: "update", graph_id: "asking" },
  });
  expect(await threads.get("t")).toMatchObject({
    values: { text: "edited" },
    status: "idle",
    interrupts: {},
  });
});

test("an edit of an older checkpoint forks from it", async () => {
  await using server = await startServer({ graphs });
  const { threads } = connect(server);
  const say = { messages: [{ role: "user", content: "hi" }] };
  await run(server, "counter", "t", say);
  const base = (await threads.getState("t")).checkpoint;
  await run(server, "counter", "t", say);
  await threads.updateState("t", {
    values: { messages: [{ role: "ai", content: "other" }] },
    checkpointId: given(base.checkpoint_id),
    asNode: "count",
  });
  const forked = await threads.getState<{ messages: { content: string }[] }>("t");
  expect(forked.values.messages.map(({ content }) => content)).toEqual(["hi", "message 1", "other"]);
  expect(forked.parent_checkpoint).toEqual(base);
  await threads.updateState("t", { values: null, checkpoint: base });
  expect((await threads.get<{ messages: unknown[] }>("t")).values.messages).toHaveLength(2);
});

test("a copy has the state and goes its own way", async () => {
  await using server = await startServer({ graphs });
  const { threads } = connect(server);
  await run(server, "asking", "t");
  const copy = await threads.copy("t");
  const original = await threads.get("t");
  expect(copy).toMatchObject({
    metadata: original.metadata,
    values: original.values,
    status: "interrupted",
    interrupts: original.interrupts,
  });
  const [state, copied] = [await threads.getState("t"), await threads.getState(copy.thread_id)];
  expect(copied).toEqual({
    ...state,
    metadata: { ...state.metadata, thread_id: copy.thread_id },
    checkpoint: { ...state.checkpoint, thread_id: copy.thread_id },
    parent_checkpoint: { ...state.parent_checkpoint, thread_id: copy.thread_id },
  });
  await threads.updateState(copy.thread_id, { values: { text: "b" }, asNode: "ask" });
  expect(await threads.getState("t")).toEqual(state);
  const answered = await server.post("/graphs/asking/invoke", {
    command: { resume: "yes" },
    config: { configurable: { thread_id: "t" } },
  });
  expect(answered.body).toEqual({ output: { text: "a yes" } });
});

test("a thread is created with the state that supersteps lead to", async () => {
  await using server = await startServer({ graphs });
  const { threads } = connect(server);
  const { thread_id, values } = await threads.create({
    graphId: "counter",
    supersteps: [
      { updates: [{ values: { messages: [{ role: "user", content: "hi" }] }, asNode: "__input__" }] },
      { updates: [{ values: { messages: [{ role: "ai", content: "ho" }] }, asNode: "count" }] },
    ],
  });
  expect(values).toMatchObject({ messages: [{ type: "ai", content: "ho" }] });
  expect(await threads.getHistory(thread_id)).toHaveLength(2);
  const command = { update: { text: "from a command" }, goto: "ask" };
  const steered = await threads.create({
    graphId: "asking",
    supersteps: [
      { updates: [{ values: { text: "a" }, asNode: "__input__" }] },
      { updates: [{ values: null, command, asNode: "ask" }] },
    ],
  });
  expect(await threads.getState(steered.thread_id)).toMatchObject({
    next: ["ask"],
    values: { text: "from a command" },
  });
});
