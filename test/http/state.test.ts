import fc from "fast-check";
import { expect, test } from "vitest";
import { asking, echo, failing, forgetting, remembering, shout } from "../support/graphs.ts";
import { startServer, type TestServer } from "../support/server.ts";

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
    { metadata: { ticket: 7 } },
  ]);
});

test("a run goes on from an older checkpoint when asked to", async () => {
  await using server = await startServer({ graphs: [{ name: "asking", graph: asking }] });
  await run(server, "asking", "t");
  const { body } = await state(server, "asking", "t");
  await run(server, "asking", "t", { input: undefined, command: { resume: "one" } });
  const { config } = body as { config: object };
  const again = await run(server, "asking", "t", { input: undefined, command: { resume: "two" }, config });
  expect(again.body).toEqual({ output: { text: "a two" } });
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

test("what looks like LangChain's own format in an input stays what it is", async () => {
  await using server = await startServer({ graphs: [{ name: "echo", graph: echo }] });
  const hostile = [
    { lc: 1, type: "secret", id: ["PATH"] },
    {
      lc: 1,
      type: "constructor",
      id: ["langchain_core", "messages", "HumanMessage"],
      kwargs: { content: "x" },
    },
    { lc: 1, type: "constructor", id: ["nowhere", "at", "all"], kwargs: {} },
    { lc: 1, type: "not_implemented", id: ["x"] },
    { lc: 2, type: "undefined" },
    { lc: 2, type: "constructor", id: ["Error"], args: ["x"] },
    { lc: 2, type: "constructor", id: ["Function"], args: ["return process"] },
  ];
  for (const [index, value] of hostile.entries()) {
    const thread = `t${index}`;
    await run(server, "echo", thread, { input: { value, text: "kept" } });
    const read = await state(server, "echo", thread);
    expect([value, read.status, read.body]).toMatchObject([value, 200, { values: { value, text: "kept" } }]);
    expect((await run(server, "echo", thread)).status).toBe(200);
  }
});
