import { randomUUID } from "node:crypto";
import { expect, test, vi } from "vitest";
import { abortable, counter, failing, gated, shout } from "../support/graphs.ts";
import { startServer } from "../support/server.ts";
import { allParts, clientOf, eventNames } from "../support/sdk.ts";

const text = { text: "a" };
const fresh = { ifNotExists: "create" } as const;

test("wait answers with the final values, and says which run it was", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const runs: unknown[] = [];
  const values = await clientOf(server).runs.wait("t", "shout", {
    input: text,
    ...fresh,
    onRunCreated: (run) => void runs.push(run),
  });
  expect(values).toEqual({ text: "a!" });
  const [run] = await clientOf(server).runs.list("t");
  expect(runs).toEqual([{ run_id: run?.run_id, thread_id: "t" }]);
  expect(run).toMatchObject({ status: "success", thread_id: "t", multitask_strategy: "enqueue" });
});

test("wait on a run that fails throws, and the thread goes on", async () => {
  await using server = await startServer({
    graphs: [
      { name: "failing", graph: failing },
      { name: "shout", graph: shout },
    ],
  });
  const { runs } = clientOf(server);
  await expect(runs.wait("t", "failing", { input: text, ...fresh })).rejects.toThrow(
    /^graph_failed: Graph execution failed \(error id/,
  );
  expect(await runs.wait("t", "failing", { input: text, raiseError: false })).toMatchObject({
    __error__: { error: "graph_failed" },
  });
  expect(await runs.wait("t", "shout", { input: text })).toEqual({ text: "a!" });
});

test("an assistant is a graph's name or the id of its default assistant; others are not found", async () => {
  await using server = await startServer({ graphs: [{ name: "agent", graph: shout }] });
  const { runs } = clientOf(server);
  const defaultAssistant = "fe096781-5601-53d2-b2f6-0d3403f7e9ca";
  expect(await runs.wait(null, defaultAssistant, { input: text })).toEqual({ text: "a!" });
  await expect(runs.wait(null, "other", { input: text })).rejects.toThrow("404");
});

test("a missing thread is not found, unless it is to be made", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const { runs } = clientOf(server);
  await expect(runs.wait("t", "shout", { input: text })).rejects.toThrow("404");
  await expect(runs.create("t", "shout", { input: text })).rejects.toThrow("404");
  expect(await runs.wait("t", "shout", { input: text, ...fresh })).toEqual({ text: "a!" });
});

test("a background run is created, joined, got, listed and deleted", async () => {
  const { graph, entered, open } = gated();
  await using server = await startServer({ graphs: [{ name: "gated", graph }] });
  const { runs } = clientOf(server);
  const run = await runs.create("t", "gated", { input: text, metadata: { from: "test" }, ...fresh });
  expect(run).toMatchObject({ status: "pending", thread_id: "t", metadata: { from: "test" } });
  await entered;
  expect(await runs.get("t", run.run_id)).toMatchObject({ status: "running" });
  await expect(runs.delete("t", run.run_id)).rejects.toThrow("409");
  const joined = runs.join("t", run.run_id);
  open();
  expect(await joined).toEqual({ text: "a after all" });
  expect(await runs.join("t", run.run_id)).toEqual({ text: "a after all" });
  expect(await runs.list("t", { status: "success", select: ["run_id", "status"] })).toEqual([
    { run_id: run.run_id, status: "success" },
  ]);
  expect(await runs.list("t", { status: "error" })).toEqual([]);
  await runs.delete("t", run.run_id);
  await expect(runs.get("t", run.run_id)).rejects.toThrow("404");
});

test("runs are listed the newest first, page by page", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const { runs } = clientOf(server);
  const ids: string[] = [];
  for (let count = 0; count < 3; count += 1) {
    const options = {
      input: text,
      ...fresh,
      onRunCreated: (run: { run_id: string }) => void ids.push(run.run_id),
    };
    await runs.wait("t", "shout", options);
  }
  const listed = [
    ...(await runs.list("t", { limit: 2 })),
    ...(await runs.list("t", { limit: 2, offset: 2 })),
  ];
  expect(listed.map(({ run_id }) => run_id)).toEqual(ids.toReversed());
});

test("a run stops before or after the nodes that it is told, and goes on without an input", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const { runs } = clientOf(server);
  expect(await runs.wait("t", "shout", { input: text, interruptBefore: ["shout"], ...fresh })).toMatchObject(
    text,
  );
  expect(await server.database.query("select status from langgraph.threads")).toEqual([
    { status: "interrupted" },
  ]);
  expect(await runs.wait("t", "shout", { input: null })).toEqual({ text: "a!" });
});

test("a run goes on from the checkpoint that it is told", async () => {
  await using server = await startServer({ graphs: [{ name: "counter", graph: counter }] });
  const { runs } = clientOf(server);
  const input = { messages: [{ role: "user", content: "hi" }] };
  await runs.wait("t", "counter", { input, ...fresh });
  const [{ checkpoint_id } = {}] = await server.database.query(
    "select checkpoint_id from public.checkpoints order by checkpoint_id desc limit 1",
  );
  await runs.wait("t", "counter", { input });
  const values = await runs.wait("t", "counter", { input, checkpointId: String(checkpoint_id) });
  expect(values).toMatchObject({ messages: { length: 4 } });
});

test("a run that is cancelled ends its stream and is interrupted; one that waits never begins", async () => {
  const { graph, entered, aborted } = abortable();
  await using server = await startServer({ graphs: [{ name: "abortable", graph }] });
  const { runs } = clientOf(server);
  const running = await runs.create("t", "abortable", { input: text, ...fresh });
  await entered;
  const waiting = await runs.create("t", "abortable", { input: text });
  const streamed = allParts(runs.joinStream("t", running.run_id));
  await runs.cancel("t", waiting.run_id, true);
  await runs.cancel("t", running.run_id, true);
  await aborted;
  expect(eventNames(await streamed)).toEqual(["metadata", "values"]);
  for (const { run_id } of [running, waiting])
    expect(await runs.get("t", run_id)).toMatchObject({ status: "interrupted" });
});

test("a run that is rolled back is gone with all that it has saved", async () => {
  const { graph, entered } = abortable();
  await using server = await startServer({ graphs: [{ name: "abortable", graph }] });
  const { runs } = clientOf(server);
  const run = await runs.create("t", "abortable", { input: text, ...fresh });
  await entered;
  await runs.cancel("t", run.run_id, true, "rollback");
  expect(await runs.list("t")).toEqual([]);
  expect(await server.database.query("select from public.checkpoints")).toEqual([]);
});

test("many are cancelled at once, by their ids or by their status", async () => {
  const { graph, entered } = abortable();
  await using server = await startServer({ graphs: [{ name: "abortable", graph }] });
  const { runs } = clientOf(server);
  const first = await runs.create("t", "abortable", { input: text, ...fresh });
  await entered;
  const second = await runs.create("t", "abortable", { input: text });
  await runs.create("t", "abortable", { input: text });
  await runs.cancelMany({ threadId: "t", runIds: [second.run_id] });
  expect(await runs.get("t", second.run_id)).toMatchObject({ status: "interrupted" });
  await runs.cancelMany({ status: "all" });
  await runs.join("t", first.run_id);
  const listed = await runs.list("t");
  expect(listed.map(({ status }) => status)).toEqual(["interrupted", "interrupted", "interrupted"]);
});

test("a batch of stateless runs is accepted as one, by the names that the SDK sends", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const { runs } = clientOf(server);
  const payload = { assistantId: "shout", input: text, multitaskStrategy: "enqueue" } as const;
  const created = await runs.createBatch([payload, { ...payload, streamMode: ["updates"] }]);
  const streamed: (readonly string[])[] = [];
  for (const { run_id } of created) streamed.push(eventNames(await allParts(runs.joinStream(null, run_id))));
  expect(streamed).toEqual([
    ["metadata", "values", "values"],
    ["metadata", "updates"],
  ]);
});

test("stateless runs leave nothing behind but, for a while, what they streamed", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const { runs } = clientOf(server);
  expect(await runs.wait(null, "shout", { input: text })).toEqual({ text: "a!" });
  const parts = await allParts(runs.stream(null, "shout", { input: text }));
  expect(eventNames(parts)).toEqual(["metadata", "values", "values"]);
  const { run_id } = await runs.create(null, "shout", { input: text });
  expect(await allParts(runs.joinStream(null, run_id))).toMatchObject([
    {},
    { data: text },
    { data: { text: "a!" } },
  ]);
  await vi.waitFor(
    async () => {
      for (const table of [
        "langgraph.runs",
        "langgraph.threads",
        "public.checkpoints",
        "public.checkpoint_blobs",
      ])
        expect(await server.database.query(`select from ${table}`)).toEqual([]);
    },
    { timeout: 15_000 },
  );
  expect(eventNames(await allParts(runs.joinStream(null, run_id)))).toEqual(["metadata", "values", "values"]);
  expect(await runs.join(run_id, run_id)).toEqual({ text: "a!" });
  await expect(allParts(runs.joinStream(null, randomUUID()))).rejects.toThrow("404");
});
