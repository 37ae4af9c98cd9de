import { randomUUID } from "node:crypto";
import { Client } from "@langchain/langgraph-sdk";
import { expect, test, vi } from "vitest";
import { abortable, asking, counter, failing, gated, shout, telling } from "../support/graphs.ts";
import { proxyTo } from "../support/proxy.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { nested, talking } from "../support/streaming-graphs.ts";

const text = { text: "a" };
const fresh = { ifNotExists: "create" } as const;

function clientOf({ url }: Pick<TestServer, "url">): Client {
  return new Client({ apiUrl: url, callerOptions: { maxRetries: 0 } });
}

interface Part {
  readonly event: string;
  readonly data: unknown;
  readonly id?: string | undefined;
}

async function all(parts: AsyncIterable<unknown>): Promise<Part[]> {
  const found: Part[] = [];
  for await (const part of parts) found.push(part as Part);
  return found;
}

const names = (parts: readonly Part[]) =>
  parts.map(({ event }) => event.replaceAll(/:[0-9a-f-]{36}/g, ":id"));

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
  expect(listed.map(({ run_id }) => run_id)).toEqual(ids.reverse());
});

test.each([
  [["values"], ["metadata", "values", "values"]],
  [["updates"], ["metadata", "updates"]],
  [["custom"], ["metadata", "custom", "custom"]],
  [["tasks"], ["metadata", "tasks", "tasks"]],
  [["checkpoints"], ["metadata", "checkpoints", "checkpoints", "checkpoints"]],
  [["debug"], ["metadata", "debug", "debug", "debug", "debug", "debug"]],
  [
    ["updates", "values", "custom"],
    ["metadata", "values", "custom", "custom", "updates", "values"],
  ],
] as const)("stream mode %j gives the events of the official server", async (streamMode, expected) => {
  await using server = await startServer({ graphs: [{ name: "telling", graph: telling({ a: 1 }, "b") }] });
  const parts = await all(
    clientOf(server).runs.stream("t", "telling", { input: text, streamMode: [...streamMode], ...fresh }),
  );
  expect(names(parts)).toEqual(expected);
  expect(parts[0]?.data).toMatchObject({ attempt: 1, run_id: expect.any(String) });
});

test("mode messages tells of each message as it grows and when it is complete", async () => {
  await using server = await startServer({ graphs: [{ name: "talking", graph: talking("Hey") }] });
  const input = { messages: [{ role: "user", content: "hi" }] };
  const { runs } = clientOf(server);
  const parts = await all(runs.stream("t", "talking", { input, streamMode: "messages", ...fresh }));
  expect(names(parts)).toEqual([
    "metadata",
    "messages/complete",
    "messages/metadata",
    ...["messages/partial", "messages/partial", "messages/partial"],
    "messages/complete",
  ]);
  expect(parts.at(-2)?.data).toMatchObject([{ type: "ai", content: "Hey" }]);
  expect(parts.at(-1)?.data).toMatchObject([{ type: "ai", content: "Hey" }]);
});

test("mode messages-tuple gives pairs of a token and its metadata, as event messages", async () => {
  await using server = await startServer({ graphs: [{ name: "talking", graph: talking("Hey") }] });
  const input = { messages: [{ role: "user", content: "hi" }] };
  const { runs } = clientOf(server);
  const parts = await all(runs.stream("t", "talking", { input, streamMode: "messages-tuple", ...fresh }));
  expect(names(parts)).toEqual(["metadata", "messages", "messages", "messages"]);
  expect(parts[1]?.data).toMatchObject([{ type: "ai", content: "H" }, { langgraph_node: "speak" }]);
});

test("mode events gives LangChain's own, under the id of the run, beside other modes", async () => {
  await using server = await startServer({ graphs: [{ name: "talking", graph: talking("Hey") }] });
  const input = { messages: [{ role: "user", content: "hi" }] };
  const { runs } = clientOf(server);
  const parts = await all(runs.stream("t", "talking", { input, streamMode: ["events", "values"], ...fresh }));
  const events = parts.flatMap(({ event, data }) => (event === "events" ? [data] : []));
  const { run_id } = parts[0]?.data as { run_id: string };
  expect(events[0]).toMatchObject({ event: "on_chain_start", run_id });
  expect(events.at(-1)).toMatchObject({ event: "on_chain_end", run_id });
  expect(events).toContainEqual(expect.objectContaining({ event: "on_chat_model_stream" }));
  expect(parts.filter(({ event }) => event === "values")).toHaveLength(2);
});

test("what subgraphs stream carries the way to them in its name", async () => {
  await using server = await startServer({ graphs: [{ name: "nested", graph: nested }] });
  const { runs } = clientOf(server);
  const options = { input: text, streamMode: "updates", ...fresh } as const;
  const parts = await all(runs.stream("t", "nested", { ...options, streamSubgraphs: true }));
  expect(names(parts)).toEqual(["metadata", "updates|sub:id", "updates", "updates"]);
  expect(names(await all(runs.stream("t", "nested", options)))).toEqual(["metadata", "updates", "updates"]);
});

test("an interrupt is streamed, waits, and is answered by a command", async () => {
  await using server = await startServer({ graphs: [{ name: "asking", graph: asking }] });
  const { runs } = clientOf(server);
  const parts = await all(
    runs.stream("t", "asking", { input: text, streamMode: ["updates", "values"], ...fresh }),
  );
  const __interrupt__ = [{ id: expect.any(String), value: { question: "a" } }];
  expect(parts.slice(2)).toMatchObject([
    { event: "updates", data: { __interrupt__ } },
    { event: "values", data: { __interrupt__ } },
  ]);
  expect(await runs.wait("t", "asking", { command: { resume: "yes" } })).toEqual({ text: "a yes" });
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

test("a run that is joined as it streams is seen from its beginning, in the modes that are asked for", async () => {
  const { graph, entered, open } = gated();
  await using server = await startServer({ graphs: [{ name: "gated", graph }] });
  const { runs } = clientOf(server);
  const { run_id } = await runs.create("t", "gated", {
    input: text,
    streamMode: ["values", "updates"],
    ...fresh,
  });
  await entered;
  const whole = all(runs.joinStream("t", run_id));
  const updates = all(runs.joinStream("t", run_id, { streamMode: "updates" }));
  open();
  expect(names(await whole)).toEqual(["metadata", "values", "updates", "values"]);
  expect(names(await updates)).toEqual(["metadata", "updates"]);
  expect(await all(runs.joinStream("t", run_id))).toEqual(await whole);
});

test("a stream is taken up after the event that was the last, without a gap or a double", async () => {
  await using server = await startServer({ graphs: [{ name: "telling", graph: telling(1, 2, 3) }] });
  const { runs } = clientOf(server);
  const { run_id } = await runs.create("t", "telling", { input: text, streamMode: ["custom"], ...fresh });
  await runs.join("t", run_id);
  const whole = await all(runs.joinStream("t", run_id));
  expect(whole.map(({ data }) => data)).toEqual([{ run_id, attempt: 1 }, 1, 2, 3]);
  for (const [index, { id }] of whole.entries()) {
    const rest = await all(runs.joinStream("t", run_id, { lastEventId: id ?? "" }));
    expect(rest).toEqual(whole.slice(index + 1));
  }
});

test("a client whose connection breaks comes back by itself and gets every event once", async () => {
  const { graph, entered, open } = gated();
  await using server = await startServer({ graphs: [{ name: "gated", graph }] });
  await using proxy = await proxyTo(server.url);
  const parts = clientOf(proxy).runs.stream("t", "gated", { input: text, streamMode: "values", ...fresh });
  const seen: Part[] = [];
  for await (const part of parts) {
    seen.push(part as Part);
    if (seen.length !== 2) continue;
    await entered;
    await proxy.cut();
    await proxy.mend();
    open();
  }
  expect(seen.map(({ event, data }) => [event, data]).slice(1)).toEqual([
    ["values", { text: "a" }],
    ["values", { text: "a after all" }],
  ]);
  expect(new Set(seen.map(({ id }) => id)).size).toBe(3);
});

test("a run that is cancelled ends its stream and is interrupted; one that waits never begins", async () => {
  const { graph, entered, aborted } = abortable();
  await using server = await startServer({ graphs: [{ name: "abortable", graph }] });
  const { runs } = clientOf(server);
  const running = await runs.create("t", "abortable", { input: text, ...fresh });
  await entered;
  const waiting = await runs.create("t", "abortable", { input: text });
  const streamed = all(runs.joinStream("t", running.run_id));
  await runs.cancel("t", waiting.run_id, true);
  await runs.cancel("t", running.run_id, true);
  await aborted;
  expect(names(await streamed)).toEqual(["metadata", "values"]);
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
  const streamed: string[][] = [];
  for (const { run_id } of created) streamed.push(names(await all(runs.joinStream(null, run_id))));
  expect(streamed).toEqual([
    ["metadata", "values", "values"],
    ["metadata", "updates"],
  ]);
});

test("stateless runs leave nothing behind but, for a while, what they streamed", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const { runs } = clientOf(server);
  expect(await runs.wait(null, "shout", { input: text })).toEqual({ text: "a!" });
  const parts = await all(runs.stream(null, "shout", { input: text }));
  expect(names(parts)).toEqual(["metadata", "values", "values"]);
  const { run_id } = await runs.create(null, "shout", { input: text });
  expect(await all(runs.joinStream(null, run_id))).toMatchObject([
    {},
    { data: text },
    { data: { text: "a!" } },
  ]);
  await vi.waitFor(async () => {
    for (const table of [
      "langgraph.runs",
      "langgraph.threads",
      "public.checkpoints",
      "public.checkpoint_blobs",
    ])
      expect(await server.database.query(`select from ${table}`)).toEqual([]);
  });
  expect(names(await all(runs.joinStream(null, run_id)))).toEqual(["metadata", "values", "values"]);
  await expect(all(runs.joinStream(null, randomUUID()))).rejects.toThrow("404");
});
