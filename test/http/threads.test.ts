import { expect, test, vi } from "vitest";
import {
  abortable,
  asking,
  counter,
  failing,
  forgetting,
  gated,
  remembering,
  shout,
} from "../support/graphs.ts";
import { startServer, type TestServer } from "../support/server.ts";

const graphs = [
  { name: "shout", graph: shout },
  { name: "asking", graph: asking },
  { name: "counter", graph: counter },
];

const run = async (server: TestServer, graph: string, thread_id: string) =>
  server.post(`/graphs/${graph}/invoke`, { input: { text: "a" }, config: { configurable: { thread_id } } });

const send = async (server: TestServer, method: string, path: string, body?: unknown) =>
  server.get(path, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });

test("what is not known is refused by name", async () => {
  await using server = await startServer({ graphs });
  await server.post("/threads", { thread_id: "t" });
  const refused: [string, string, unknown, string][] = [
    ["POST", "/threads", { colour: 1 }, "colour"],
    ["POST", "/threads", { if_exists: "replace" }, "if_exists"],
    ["POST", "/threads", { metadata: [] }, "metadata"],
    ["POST", "/threads", { ttl: 5 }, "ttl: threads cannot be made to expire yet"],
    ["POST", "/threads", { supersteps: [{ updates: [] }] }, "supersteps.0.updates"],
    ["POST", "/threads", { supersteps: [{ updates: [{ values: { text: "a" } }] }] }, "has no graph"],
    ["PATCH", "/threads/t", { metadata: {}, status: "idle" }, "status"],
    ["POST", "/threads/search", { limit: 1001 }, "limit"],
    ["POST", "/threads/search", { limit: 0 }, "limit"],
    ["POST", "/threads/search", { offset: -1 }, "offset"],
    ["POST", "/threads/search", { status: "tired" }, "status"],
    ["POST", "/threads/search", { sort_by: "colour" }, "sort_by"],
    ["POST", "/threads/search", { sort_order: "up" }, "sort_order"],
    ["POST", "/threads/search", { select: ["secret"] }, "select"],
    ["POST", "/threads/search", { extract: { a: "values.a" } }, "extract"],
    ["POST", "/threads/count", { limit: 1 }, "limit"],
    ["POST", "/threads/prune", { thread_ids: ["t"], strategy: "keep_latest" }, "strategy: only delete"],
    ["GET", "/threads/t?include=ttl", undefined, "include"],
    ["GET", "/threads/t/state?subgraphs=yes", undefined, "subgraphs"],
    ["GET", "/threads/t/state?subgraphs=true&subgraphs=false", undefined, "subgraphs"],
    ["GET", "/threads/t/history?limit=many", undefined, "limit"],
    ["POST", "/threads/t/history", { before: {} }, "before"],
    ["POST", "/threads/t/state", { values: {}, config: {} }, "config"],
    ["POST", "/threads/t/state", { values: {} }, "has no graph"],
    ["POST", "/threads/t/state/checkpoint", { checkpoint: { thread_id: "u" } }, "checkpoint.thread_id"],
  ];
  for (const [method, path, body, name] of refused) {
    const answer = await send(server, method, path, body);
    expect([path, answer.status, answer.body]).toEqual([
      path,
      422,
      { error: "invalid_request", detail: expect.stringContaining(name) },
    ]);
  }
  expect((await server.post("/threads/count", {})).body).toBe(1);
});

test("null is as good as nothing", async () => {
  await using server = await startServer({ graphs });
  const created = await server.post("/threads", {
    thread_id: null,
    metadata: null,
    if_exists: null,
    supersteps: null,
    ttl: null,
  });
  expect(created).toMatchObject({ status: 200, body: { metadata: {} } });
  const query = { metadata: null, values: null, status: null, ids: null, limit: null, offset: null };
  expect((await server.post("/threads/search", { ...query, sort_by: null, select: null })).body).toEqual([
    created.body,
  ]);
});

test("bodies and thread ids are held to the limits", async () => {
  await using server = await startServer({ graphs, limits: { maxDepth: 4 } });
  expect((await server.post("/threads", "{")).status).toBe(400);
  expect((await server.post("/threads", [])).status).toBe(422);
  expect((await server.post("/threads", { metadata: { a: { b: { c: { d: {} } } } } })).status).toBe(400);
  for (const thread_id of ["", "ü", "x".repeat(257), 7])
    expect((await server.post("/threads", { thread_id })).status).toBe(400);
  expect((await server.get("/threads/%00")).status).toBe(400);
  const odd = "a/b ?#%~'\"";
  expect((await server.post("/threads", { thread_id: odd })).status).toBe(200);
  expect((await server.get(`/threads/${encodeURIComponent(odd)}`)).body).toMatchObject({ thread_id: odd });
});

test("objects in LangChain's own format do not get into a state", async () => {
  await using server = await startServer({ graphs });
  await run(server, "shout", "t");
  const text = { lc: 1, type: "constructor", id: ["x", "Y"], kwargs: {} };
  expect((await server.post("/threads/t/state", { values: { text }, as_node: "shout" })).status).toBe(422);
});

test("what is not there is not found", async () => {
  await using server = await startServer({ graphs });
  const calls: [string, string, unknown?][] = [
    ["GET", "/threads/t"],
    ["PATCH", "/threads/t", { metadata: {} }],
    ["DELETE", "/threads/t"],
    ["POST", "/threads/t/copy"],
    ["GET", "/threads/t/state"],
    ["POST", "/threads/t/state", { values: {} }],
    ["GET", "/threads/t/history"],
    ["GET", "/threads/u/state/1"],
    ["POST", "/threads/u/state", { values: {}, checkpoint_id: "1" }],
  ];
  await run(server, "shout", "u");
  for (const [method, path, body] of calls)
    expect([path, (await send(server, method, path, body)).status]).toEqual([path, 404]);
  await server.post("/threads", { thread_id: "v", metadata: { graph_id: "unknown" } });
  expect(await server.get("/threads/v/state")).toMatchObject({
    status: 404,
    body: { detail: "Graph 'unknown' not found" },
  });
});

test("the pages of a search say how many there are and where the next one starts", async () => {
  await using server = await startServer({ graphs });
  for (let index = 0; index < 5; index += 1) await server.post("/threads", {});
  const page = async (limit: number, offset: number) => {
    const { headers, body } = await server.post("/threads/search", { limit, offset });
    const count = Array.isArray(body) ? body.length : undefined;
    return [count, headers.get("x-pagination-total"), headers.get("x-pagination-next")];
  };
  expect(await page(2, 0)).toEqual([2, "5", "2"]);
  expect(await page(2, 2)).toEqual([2, "5", "4"]);
  expect(await page(2, 4)).toEqual([1, "5", null]);
  expect(await page(5, 0)).toEqual([5, "5", null]);
  expect(await page(2, 9)).toEqual([0, "5", null]);
});

test("threads that are made for one run are not found", async () => {
  const { graph, entered, open } = gated();
  await using server = await startServer({ graphs: [{ name: "gated", graph }] });
  const running = server.post("/graphs/gated/invoke", { input: { text: "a" } });
  await entered;
  expect((await server.post("/threads/search", {})).body).toEqual([]);
  expect((await server.post("/threads/count", {})).body).toBe(0);
  open();
  await running;
});

test("of many that create one thread at once, one does", async () => {
  await using server = await startServer({ graphs });
  const answers = await Promise.all(
    Array.from({ length: 8 }, async () => server.post("/threads", { thread_id: "t" })),
  );
  const statuses = answers.map(({ status }) => status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(1);
  expect(statuses.filter((status) => status === 409)).toHaveLength(7);
});

test("a state is not edited while a run of its thread is active", async () => {
  const { graph, entered, open } = gated();
  await using server = await startServer({ graphs: [{ name: "gated", graph }] });
  const running = run(server, "gated", "t");
  await entered;
  const refused = await server.post("/threads/t/state", { values: { text: "b" }, as_node: "wait" });
  expect(refused).toMatchObject({ status: 409, body: { error: "thread_busy" } });
  open();
  expect(await running).toMatchObject({ status: 200, body: { output: { text: "a after all" } } });
  expect((await server.post("/threads/t/state", { values: { text: "b" } })).status).toBe(200);
});

test("edits that come at once with each other and with runs each take effect", async () => {
  await using server = await startServer({ graphs });
  const say = { input: { messages: [{ role: "user", content: "hi" }] } };
  const config = { configurable: { thread_id: "t" } };
  await server.post("/graphs/counter/invoke", { ...say, config });
  const edit = async (content: string) =>
    server.post("/threads/t/state", { values: { messages: [{ role: "ai", content }] }, as_node: "count" });
  const edits = await Promise.all([
    ...Array.from({ length: 10 }, async (_, index) => edit(`edit ${index}`)),
    server.post("/graphs/counter/invoke", { ...say, config }),
    server.post("/graphs/counter/invoke", { ...say, config }),
  ]);
  const accepted = edits.map(({ status }) => status);
  expect(accepted.filter((status) => status !== 200 && status !== 409)).toEqual([]);
  const [edited, ran] = [accepted.slice(0, 10), accepted.slice(10)].map(
    (part) => part.filter((status) => status === 200).length,
  );
  const { body } = await server.get("/threads/t");
  expect(body).toMatchObject({
    status: "idle",
    values: { messages: { length: 2 + Number(edited) + 2 * Number(ran) } },
  });
  expect((await server.get("/threads/t/state")).body).toMatchObject({
    values: Object(body).values,
  });
});

test("an edit that the graph cannot take says so and leaves the thread as it was", async () => {
  await using server = await startServer({ graphs });
  await run(server, "shout", "t");
  const before = [(await server.get("/threads/t")).body, (await server.get("/threads/t/state")).body];
  const nowhere = await server.post("/threads/t/state", { values: { text: "b" }, as_node: "nowhere" });
  expect([nowhere.status, nowhere.body]).toEqual([
    422,
    { error: "invalid_request", detail: 'values: Node "nowhere" does not exist' },
  ]);
  expect((await server.post("/threads/t/state", { values: { colour: 1 } })).status).toBe(200);
  expect((await server.post("/threads/t/state", { values: 7 })).status).toBe(422);
  expect((await server.get("/threads/t")).body).toMatchObject({ values: Object(before[0]).values });
  expect(server.errors).toEqual([]);
});

test("a thread whose supersteps fail is not made", async () => {
  await using server = await startServer({ graphs });
  const supersteps = [
    { updates: [{ values: { text: "a" }, as_node: "__input__" }] },
    { updates: [{ values: { text: "b" }, as_node: "nowhere" }] },
  ];
  const metadata = { graph_id: "shout" };
  expect((await server.post("/threads", { thread_id: "t", metadata, supersteps })).status).toBe(422);
  expect((await server.get("/threads/t")).status).toBe(404);
  expect(await server.database.query("select from public.checkpoints")).toEqual([]);
});

test("a graph that keeps no state has an empty one, which cannot be edited", async () => {
  await using server = await startServer({ graphs: [{ name: "forgetting", graph: forgetting }] });
  await run(server, "forgetting", "t");
  expect((await server.get("/threads/t/state")).body).toMatchObject({ values: {}, checkpoint: null });
  expect((await server.get("/threads/t/history")).body).toEqual([]);
  expect((await server.post("/threads/t/state", { values: {} })).status).toBe(422);
});

test("a task that failed is known to have, without the graph's words", async () => {
  await using server = await startServer({ graphs: [{ name: "failing", graph: failing }] });
  await run(server, "failing", "t");
  const { body, text } = await server.get("/threads/t/state");
  expect(body).toMatchObject({ next: ["second"], tasks: [{ name: "second", error: "The task failed" }] });
  expect(text).not.toContain("secret");
  expect((await server.get("/threads/t")).body).toMatchObject({ status: "error" });
});

test("a thread that is deleted while it runs stops its run, and nothing of it is left", async () => {
  const { graph, entered, aborted } = abortable();
  await using server = await startServer({ graphs: [{ name: "abortable", graph }, ...graphs] });
  const running = run(server, "abortable", "t");
  await entered;
  expect(await send(server, "DELETE", "/threads/t")).toMatchObject({ status: 204, text: "" });
  await aborted;
  await running;
  const tables = ["langgraph.threads", "langgraph.runs", "langgraph.events", "public.checkpoints"];
  for (const table of [...tables, "public.checkpoint_blobs", "public.checkpoint_writes"])
    expect([table, await server.database.query(`select from ${table}`)]).toEqual([table, []]);
  expect(await run(server, "shout", "t")).toMatchObject({ status: 200, body: { output: { text: "a!" } } });
});

test("an edit needs no more than one connection, whoever else edits", async () => {
  await using server = await startServer({ graphs });
  const ids = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
  for (const id of ids) await run(server, "shout", id);
  const edits = await Promise.all(
    ids.map(async (id) => server.post(`/threads/${id}/state`, { values: { text: "b" } })),
  );
  expect(edits.map(({ status }) => status)).toEqual(ids.map(() => 200));
});

test("a copy of a running thread is one at rest", async () => {
  const { graph, entered, open } = gated();
  await using server = await startServer({ graphs: [{ name: "gated", graph }] });
  const running = run(server, "gated", "t");
  await entered;
  await vi.waitFor(async () =>
    expect((await server.get("/threads/t/state")).body).toMatchObject({ next: ["wait"] }),
  );
  const { body } = await server.post("/threads/t/copy", undefined);
  expect(body).toMatchObject({ status: "idle", metadata: { graph_id: "gated" } });
  const { thread_id } = Object(body);
  open();
  await running;
  expect((await server.get(`/threads/${thread_id}/state`)).body).toMatchObject({ next: ["wait"] });
  expect(await server.post(`/threads/${thread_id}/state`, { values: { text: "b" } })).toMatchObject({
    status: 200,
  });
});

test("a method that a path does not have is refused with those that it has", async () => {
  await using server = await startServer({ graphs });
  const answer = await send(server, "PUT", "/threads/t", {});
  expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET, PATCH, DELETE"]);
});

test("threads need the app's key level", async () => {
  await using server = await startServer({
    graphs,
    authLevel: "function",
    local: { keys: { function: "k" } },
  });
  expect((await server.post("/threads/search", {})).status).toBe(401);
  const headers = { "x-functions-key": "k" };
  expect((await server.get("/threads/nowhere", { headers })).status).toBe(404);
  expect((await server.get("/threads/nowhere?code=k")).status).toBe(404);
});

test("a graph's own checkpointer is read and written, reached by a delete, and not copied", async () => {
  const { graph, saver } = remembering();
  await using server = await startServer({ graphs: [{ name: "remembering", graph }] });
  await run(server, "remembering", "t");
  expect((await server.post("/threads/t/state", { values: { text: "b" } })).status).toBe(200);
  expect((await server.get("/threads/t/state")).body).toMatchObject({ values: { text: "b" } });
  expect((await server.get("/threads/t")).body).toMatchObject({ values: { text: "b" } });
  expect((await server.post("/threads/t/copy", {})).status).toBe(422);
  expect((await server.post("/threads/prune", { thread_ids: ["t"] })).body).toEqual({ pruned_count: 1 });
  expect(await saver.getTuple({ configurable: { thread_id: "t" } })).toBeUndefined();
});
