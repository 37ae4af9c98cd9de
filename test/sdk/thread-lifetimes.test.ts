import { expect, test, vi } from "vitest";
import { z } from "zod";
import { asking, counter, gated, remembering } from "../support/graphs.ts";
import { nested } from "../support/nested-graph.ts";
import { clientOf } from "../support/sdk.ts";
import { startServer, type TestServer } from "../support/server.ts";

const graphs = [
  { name: "counter", graph: counter },
  { name: "asking", graph: asking },
];
const hello = { messages: [{ role: "user", content: "hello" }] };
const Expiring = z.object({
  ttl: z.object({ strategy: z.string(), ttl_minutes: z.number(), expires_at: z.coerce.date() }).nullable(),
});

const PATCH = { method: "PATCH", headers: { "content-type": "application/json" } }; // no SDK knows all strategies

/** What the server says of a thread's lifetime. */
async function ttlOf(server: TestServer, threadId: string) {
  return Expiring.parse(await clientOf(server).threads.get(threadId, { include: ["ttl"] })).ttl;
}

/** Once the timer has seen to it. */
async function eventually(check: () => Promise<void>): Promise<void> {
  await vi.waitFor(check, { timeout: 10_000, interval: 50 });
}

/** As if so much time had passed for the threads. */
async function pass({ database }: TestServer, minutes: number): Promise<void> {
  await database.query("update langgraph.threads set expires_at = expires_at - make_interval(mins => $1)", [
    minutes,
  ]);
}

const checkpointsOf = async ({ database }: TestServer, threadId: string): Promise<unknown[]> =>
  database.query("select checkpoint_id from public.checkpoints where thread_id = $1", [threadId]);

test("a thread that is to live for some minutes is gone after them, with all that belongs to it", async () => {
  await using server = await startServer({ graphs });
  const { threads, runs } = clientOf(server);
  const kept = await threads.create({ graphId: "counter" });
  const { thread_id } = await threads.create({ ttl: 30 });
  await runs.wait(thread_id, "counter", { input: hello });
  const ttl = await ttlOf(server, thread_id);
  expect(ttl).toMatchObject({ strategy: "delete", ttl_minutes: 30 });
  expect((Number(ttl?.expires_at) - Date.now()) / 60_000).toBeCloseTo(30, 0);
  expect(await ttlOf(server, kept.thread_id)).toBeNull();
  expect((await server.get(`/threads/${thread_id}`)).body).not.toHaveProperty("ttl");
  await pass(server, 29);
  expect((await threads.get(thread_id)).thread_id).toBe(thread_id);
  await pass(server, 2);
  await eventually(async () => expect((await server.get(`/threads/${thread_id}`)).status).toBe(404));
  for (const table of ["langgraph.runs", "langgraph.events", "public.checkpoints", "public.checkpoint_blobs"])
    expect([table, await server.database.query(`select from ${table}`)]).toEqual([table, []]);
  expect((await threads.get(kept.thread_id)).thread_id).toBe(kept.thread_id);
});

test("a thread's lifetime can be set later, and begins anew with that", async () => {
  await using server = await startServer({ graphs });
  const { threads } = clientOf(server);
  const { thread_id } = await threads.create();
  await threads.update(thread_id, { metadata: { a: 1 }, ttl: { ttl: 60, strategy: "delete" } });
  await pass(server, 50);
  await threads.update(thread_id, { metadata: { b: 2 } });
  expect(await ttlOf(server, thread_id)).toMatchObject({ ttl_minutes: 60 });
  await threads.update(thread_id, { ttl: 90 });
  const ttl = await ttlOf(server, thread_id);
  expect((Number(ttl?.expires_at) - Date.now()) / 60_000).toBeCloseTo(90, 0);
  expect(await threads.get(thread_id)).toMatchObject({ metadata: { a: 1, b: 2 } });
});

test("a thread with an active run does not expire before the run has ended", async () => {
  const { graph, open, entered } = gated();
  await using server = await startServer({ graphs: [{ name: "gated", graph }] });
  const { threads, runs } = clientOf(server);
  const { thread_id } = await threads.create({ ttl: 1 });
  const result = runs.wait(thread_id, "gated", { input: { text: "alive" } });
  await entered;
  await pass(server, 2);
  const { thread_id: other } = await threads.create({ ttl: 1 });
  await server.database.query("update langgraph.threads set expires_at = now() where thread_id = $1", [
    other,
  ]);
  await eventually(async () => expect((await server.get(`/threads/${other}`)).status).toBe(404));
  expect((await threads.get(thread_id)).status).toBe("busy");
  open();
  expect(await result).toEqual({ text: "alive after all" });
  await eventually(async () => expect((await server.get(`/threads/${thread_id}`)).status).toBe(404));
});

test("a thread that keeps its latest state loses its history when its time has come, and goes on", async () => {
  await using server = await startServer({ graphs });
  const { threads, runs } = clientOf(server);
  const { thread_id } = await threads.create();
  await server.post(`/threads/${thread_id}`, { ttl: { ttl: 10, strategy: "keep_latest" } }, PATCH);
  for (const _ of [1, 2, 3]) await runs.wait(thread_id, "counter", { input: hello });
  const before = await threads.getState(thread_id);
  expect((await checkpointsOf(server, thread_id)).length).toBeGreaterThan(5);
  await pass(server, 11);
  await eventually(async () => expect(await checkpointsOf(server, thread_id)).toHaveLength(1));
  expect(await threads.getState(thread_id)).toEqual({ ...before, parent_checkpoint: null });
  expect(await threads.getHistory(thread_id)).toHaveLength(1);
  expect((Number((await ttlOf(server, thread_id))?.expires_at) - Date.now()) / 60_000).toBeCloseTo(10, 0);
  const { messages } = z
    .object({ messages: z.array(z.object({ content: z.string() })) })
    .parse(await runs.wait(thread_id, "counter", { input: hello }));
  expect(messages.at(-1)?.content).toBe("message 7");
});

test("pruning to the latest state keeps what a waiting thread needs to go on, of its subgraphs too", async () => {
  await using server = await startServer({ graphs: [...graphs, { name: "nested", graph: nested }] });
  const { threads, runs } = clientOf(server);
  for (const [graph, kept] of [
    ["asking", 1],
    ["nested", 2],
  ] as const) {
    const { thread_id } = await threads.create();
    await runs.wait(thread_id, graph, { input: { text: "hello" } });
    expect(await threads.prune([thread_id, "nowhere"], { strategy: "keep_latest" })).toEqual({
      pruned_count: 1,
    });
    expect(await checkpointsOf(server, thread_id)).toHaveLength(kept);
    expect(await threads.get(thread_id)).toMatchObject({ status: "interrupted" });
    const result = await runs.wait(thread_id, graph, { command: { resume: "world" } });
    expect(result).toEqual({ text: "hello world" });
  }
});

test("a thread that is busy, or whose graph keeps its states itself, is not pruned to its latest state", async () => {
  const { graph, open, entered } = gated();
  const own = remembering();
  await using server = await startServer({
    graphs: [
      { name: "gated", graph },
      { name: "remembering", graph: own.graph },
    ],
  });
  const { threads, runs } = clientOf(server);
  const busy = await threads.create();
  const result = runs.wait(busy.thread_id, "gated", { input: { text: "alive" } });
  await entered;
  expect(await threads.prune([busy.thread_id], { strategy: "keep_latest" })).toEqual({ pruned_count: 0 });
  open();
  await result;
  const elsewhere = await threads.create();
  await runs.wait(elsewhere.thread_id, "remembering", { input: { text: "hello" } });
  const body = { thread_ids: [elsewhere.thread_id], strategy: "keep_latest" };
  const { status, text } = await server.post("/threads/prune", body);
  expect([status, text]).toEqual([
    422,
    expect.stringContaining("checkpointer of its own, which cannot prune"),
  ]);
});

test("what a graph's own checkpointer fails to delete of a thread whose time has come keeps no other from it, and is told", async () => {
  const own = remembering();
  await using server = await startServer({ graphs: [{ name: "remembering", graph: own.graph }] });
  const { threads, runs } = clientOf(server);
  for (const _ of [1, 2, 3]) {
    const { thread_id } = await threads.create({ ttl: 30 });
    await runs.wait(thread_id, "remembering", { input: { text: "hello" } });
  }
  const deleteThread = own.saver.deleteThread.bind(own.saver);
  let failed: string | undefined;
  vi.spyOn(own.saver, "deleteThread").mockImplementation(async (threadId) => {
    failed ??= threadId;
    if (threadId === failed) throw new Error("It is away");
    await deleteThread(threadId);
  });
  await server.database.query("update langgraph.threads set created_at = now(), expires_at = now()");
  await eventually(async () => expect(Object.keys(own.saver.storage)).toEqual([failed]));
  await eventually(async () =>
    expect(server.errors).toContainEqual({
      fields: { thread_id: failed, err: new Error("It is away") },
      message: "A thread is gone, but not what its graph's own checkpointer has of it",
    }),
  );
});
