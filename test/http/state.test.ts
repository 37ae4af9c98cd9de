import * as fc from "fast-check";
import type { GraphConfig } from "langgraph-functions";
import { expect, test, vi } from "vitest";
import { asking, counter, echo, failing, forgetting, remembering, shout } from "../support/graphs.ts";
import { type Answer, startServer, type TestServer } from "../support/server.ts";

const run = async (server: TestServer, graph: string, thread_id: string, fields: object = {}) =>
  server.post(`/graphs/${graph}/invoke`, {
    input: { text: "a" },
    config: { configurable: { thread_id } },
    ...fields,
  });

const state = async (server: TestServer, graph: string, threadId: string) =>
  server.get(`/graphs/${graph}/threads/${encodeURIComponent(threadId)}/state`);

test("the state of a thread after a run", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  await run(server, "shout", "t");
  const answer = await state(server, "shout", "t");
  const checkpoint = { thread_id: "t", checkpoint_ns: "", checkpoint_id: expect.any(String) };
  expect(answer).toMatchObject({ status: 200 });
  expect(answer.body).toEqual({
    values: { text: "a!" },
    next: [],
    metadata: expect.objectContaining({ source: "loop", step: 1 }),
    config: { configurable: checkpoint },
    created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    parent_config: { configurable: checkpoint },
  });
});

test("the state of a thread that waits names the next node, and of one that failed, the one that did", async () => {
  const graphs = [
    { name: "asking", graph: asking },
    { name: "failing", graph: failing },
  ];
  await using server = await startServer({ graphs });
  await run(server, "asking", "a");
  expect((await state(server, "asking", "a")).body).toMatchObject({ values: { text: "a" }, next: ["ask"] });
  await run(server, "failing", "f");
  expect((await state(server, "failing", "f")).body).toMatchObject({
    values: { text: "a" },
    next: ["second"],
  });
});

test("a run's metadata ends in the metadata of its checkpoints", async () => {
  const config = { metadata: { app: "x" } };
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout, config }] });
  const configured = { configurable: { thread_id: "t" }, metadata: { team: "b" } };
  await server.post("/graphs/shout/invoke", {
    input: { text: "a" },
    config: configured,
    metadata: { ticket: 7 },
  });
  expect((await state(server, "shout", "t")).body).toMatchObject({
    metadata: { app: "x", team: "b", ticket: 7 },
  });
  expect(await server.database.query("select metadata from langgraph.runs")).toEqual([
    { metadata: { ticket: 7, graph_id: "shout", assistant_id: expect.stringMatching(/^[\da-f-]{36}$/) } },
  ]);
});

test("a run goes on from an older checkpoint when asked to", async () => {
  await using server = await startServer({ graphs: [{ name: "counter", graph: counter }] });
  const input = { messages: [{ role: "user", content: "hi" }] };
  await run(server, "counter", "t", { input });
  const first = await state(server, "counter", "t");
  expect((await run(server, "counter", "t", { input })).text).toContain("message 3");
  expect((await run(server, "counter", "t", { input })).text).toContain("message 5");
  expect((await run(server, "counter", "t", { input, config: configOf(first) })).text).toContain("message 3");
});

test("a command that the graph refuses leaves its thread as it was", async () => {
  await using server = await startServer({ graphs: [{ name: "counter", graph: counter }] });
  const input = { messages: [{ role: "user", content: "hi" }] };
  await run(server, "counter", "t", { input });
  const before = await state(server, "counter", "t");
  const update = { messages: [{ role: "nobody", content: "hi" }] };
  const refused = await run(server, "counter", "t", { input: undefined, command: { update } });
  expect(refused.status).toBe(422);
  expect((await state(server, "counter", "t")).body).toEqual(before.body);
  expect((await run(server, "counter", "t", { input })).text).toContain("message 3");
});

test("an input that the graph refuses leaves its thread as it was, and no thread if there was none", async () => {
  await using server = await startServer({ graphs: [{ name: "counter", graph: counter }] });
  const input = { messages: [{ role: "user", content: "hi" }] };
  const nonsense = { input: { messages: [{ role: "nobody", content: "hi" }] } };
  await run(server, "counter", "t", { input });
  const before = await state(server, "counter", "t");
  for (const thread of ["t", "new"])
    expect((await run(server, "counter", thread, nonsense)).status).toBe(422);
  expect((await state(server, "counter", "t")).body).toEqual(before.body);
  expect((await state(server, "counter", "new")).status).toBe(404);
  const command = { input: undefined, command: { goto: "count" } };
  expect((await run(server, "counter", "t", command)).text).toContain("message 2");
});

test("there is no state of a thread that never was, of another graph's thread, or of a graph that keeps none", async () => {
  const graphs = [
    { name: "shout", graph: shout },
    { name: "other", graph: shout },
    { name: "forgetting", graph: forgetting },
  ];
  await using server = await startServer({ graphs });
  await run(server, "shout", "t");
  await run(server, "forgetting", "f");
  for (const [graph, thread] of [
    ["shout", "never"],
    ["other", "t"],
    ["forgetting", "f"],
    ["forgetting", "never"],
  ] as const) {
    const answer = await state(server, graph, thread);
    expect(answer).toMatchObject({ status: 404 });
    expect(answer.body).toEqual({ error: "not_found", detail: `Thread '${thread}' not found` });
  }
  expect(await state(server, "shout", "t")).toMatchObject({ status: 200 });
});

test("a thread that is made with a state, under the id of a run without a thread, goes on after that run's log", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const { headers } = await server.post("/runs/wait", { assistant_id: "shout", input: { text: "a" } });
  const thread_id = headers.get("content-location")?.split("/").at(-1);
  const supersteps = [{ updates: [{ values: { text: "made" }, as_node: "__start__" }] }];
  const made = { thread_id, metadata: { graph_id: "shout" }, supersteps };
  expect(await server.post("/threads", made)).toMatchObject({
    status: 200,
    body: { values: { text: "made" } },
  });
  const [newest] = await server.database.query(
    `select t.last_seq = max(e.seq) as is_newest, count(distinct e.run_id)::int as runs
     from langgraph.threads t join langgraph.events e using (thread_id) group by t.last_seq`,
  );
  expect(newest).toEqual({ is_newest: true, runs: 2 });
});

test("a run without a thread leaves no state under any name", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  await server.post("/graphs/shout/invoke", { input: { text: "a" } });
  const [counts] = await server.database.query(
    "select (select count(*) from langgraph.runs)::int + (select count(*) from checkpoints)::int as kept",
  );
  expect(counts).toEqual({ kept: 0 });
});

test("a graph's own checkpointer keeps its states, and ours does not", async () => {
  const { graph, saver } = remembering();
  await using server = await startServer({ graphs: [{ name: "remembering", graph }] });
  await run(server, "remembering", "t");
  expect((await state(server, "remembering", "t")).body).toMatchObject({ values: { text: "a!" } });
  expect(await saver.getTuple({ configurable: { thread_id: "t" } })).toBeDefined();
  expect(await server.database.query("select count(*)::int from checkpoints")).toEqual([{ count: 0 }]);

  await server.post("/graphs/remembering/invoke", { input: { text: "a" } });
  expect(Object.keys(saver.storage)).toEqual(["t"]); // a run without a thread is not kept there either
});

test("what a graph's own checkpointer fails to delete can be deleted once more", async () => {
  const { graph, saver } = remembering();
  await using server = await startServer({ graphs: [{ name: "remembering", graph }] });
  const thread_ids = ["t", "u", "v"];
  for (const thread_id of thread_ids) await run(server, "remembering", thread_id);
  const failing = vi.spyOn(saver, "deleteThread").mockRejectedValueOnce(new Error("It is away"));
  expect((await server.get("/threads/t", { method: "DELETE" })).status).toBe(500);
  expect((await server.get("/threads/t", { method: "DELETE" })).status).toBe(204);
  failing.mockRejectedValueOnce(new Error("It is away"));
  expect((await server.post("/threads/prune", { thread_ids })).status).toBe(500);
  expect((await server.post("/threads/prune", { thread_ids })).body).toEqual({ pruned_count: 2 });
  expect(saver.storage).toEqual({});
});

test("a factory finds its registered config when its state is asked for", async () => {
  const graph = ({ configurable, tags }: GraphConfig) => {
    if (configurable?.["model"] !== "small" || tags?.[0] !== "default") throw new Error("no model");
    return shout;
  };
  const config = { configurable: { model: "small" }, tags: ["default"] };
  await using server = await startServer({ graphs: [{ name: "shout", graph, config }] });
  await run(server, "shout", "t");
  expect(await state(server, "shout", "t")).toMatchObject({ status: 200, body: { values: { text: "a!" } } });
  const waited = await server.post("/threads/t/runs/wait", { assistant_id: "shout", input: { text: "b" } });
  expect(waited).toMatchObject({ status: 200, body: { text: "b!" } });
});

test("a graph that is registered is left as it was", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  await run(server, "shout", "t");
  expect(shout.checkpointer).toBeUndefined();
});

test.each([
  "conversation 1",
  "user/42/../x?y#z",
  "100%25",
  "%2F",
  "a+b&c=d;e",
  "\"'<>\\^`{|}~",
  " ",
  "constructor",
  "__proto__",
  "x".repeat(256),
])("the thread id %j is used as it is", async (threadId) => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  expect(await run(server, "shout", threadId)).toMatchObject({ status: 200 });
  expect(await server.database.query("select thread_id from langgraph.threads")).toEqual([
    { thread_id: threadId },
  ]);
  expect(await state(server, "shout", threadId)).toMatchObject({
    status: 200,
    body: { config: { configurable: { thread_id: threadId } } },
  });
});

test("any printable ASCII text is a thread id, the same in a body and in a path", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const threadIds = fc
    .string({ unit: "grapheme-ascii", minLength: 1, maxLength: 40 })
    .filter((id) => !/^\.\.?$/.test(id)); // in a path, clients take these for folders
  await fc.assert(
    fc.asyncProperty(threadIds, async (threadId) => {
      await run(server, "shout", threadId);
      expect((await state(server, "shout", threadId)).status).toBe(200);
    }),
    { numRuns: 50, seed: 1 },
  );
});

test("an input in LangChain's own format breaks no thread and reads no secret", async () => {
  await using server = await startServer({ graphs: [{ name: "echo", graph: echo }] });
  const hostile = [
    { lc: 1, type: "secret", id: ["PATH"] },
    {
      lc: 1,
      type: "constructor",
      id: ["langchain_core", "messages", "HumanMessage"],
      kwargs: { content: "x" },
    },
    {
      lc: 1,
      type: "constructor",
      id: ["langchain_core", "messages", "HumanMessage"],
      kwargs: { lc: 1, type: "secret", id: ["PATH"] },
    },
    { lc: 1, type: "constructor", id: ["nowhere", "at", "all"], kwargs: {} },
    { lc: 1, type: "constructor", id: [], kwargs: null },
    { lc: 1, type: "not_implemented", id: ["x"] },
    { lc: 2, type: "undefined" },
    { lc: 2, type: "delta_snapshot", value: 1 },
    { lc: 2, type: "constructor", id: ["Error"], args: ["x"] },
    { lc: 2, type: "constructor", id: ["Set"], args: [[1]] },
    { lc: 2, type: "constructor", id: ["Function"], args: ["return process"] },
  ];
  const outcomes: unknown[] = [];
  for (const [index, value] of hostile.entries()) {
    const thread = `t${index}`;
    const answers = [
      await run(server, "echo", thread, { input: { value, text: "kept" } }),
      await state(server, "echo", thread),
      await run(server, "echo", thread),
    ];
    expect(answers.map(({ text }) => text).join()).not.toContain("/bin");
    outcomes.push([value, answers.filter(({ status }) => status >= 500).length, answers.at(-1)?.status]);
  }
  expect(outcomes).toEqual(hostile.map((value) => [value, 0, 200])); // refused or not, the thread goes on
});

/** The config of a state, which names its checkpoint. */
function configOf({ body }: Answer): unknown {
  return typeof body === "object" && body !== null && "config" in body ? body.config : undefined;
}
