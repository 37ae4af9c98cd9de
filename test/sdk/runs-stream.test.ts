import { expect, test } from "vitest";
import { asking, gated, telling } from "../support/graphs.ts";
import { proxyTo } from "../support/proxy.ts";
import { startServer } from "../support/server.ts";
import { allParts, clientOf, eventNames, type Part } from "../support/sdk.ts";
import { nested, talking } from "../support/streaming-graphs.ts";
import { z } from "zod";

const text = { text: "a" };
const fresh = { ifNotExists: "create" } as const;

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
  const parts = await allParts(
    clientOf(server).runs.stream("t", "telling", { input: text, streamMode: [...streamMode], ...fresh }),
  );
  expect(eventNames(parts)).toEqual(expected);
  expect(parts[0]?.data).toMatchObject({ attempt: 1, run_id: expect.any(String) });
});

test("mode messages tells of each message as it grows and when it is complete", async () => {
  await using server = await startServer({ graphs: [{ name: "talking", graph: talking("Hey") }] });
  const input = { messages: [{ role: "user", content: "hi" }] };
  const { runs } = clientOf(server);
  const parts = await allParts(runs.stream("t", "talking", { input, streamMode: "messages", ...fresh }));
  expect(eventNames(parts)).toEqual([
    "metadata",
    "messages/complete",
    "messages/metadata",
    "messages/partial",
    "messages/partial",
    "messages/partial",
    "messages/complete",
  ]);
  expect(parts.at(-2)?.data).toMatchObject([{ type: "ai", content: "Hey" }]);
  expect(parts.at(-1)?.data).toMatchObject([{ type: "ai", content: "Hey" }]);
});

test("mode messages-tuple gives pairs of a token and its metadata, as event messages", async () => {
  await using server = await startServer({ graphs: [{ name: "talking", graph: talking("Hey") }] });
  const input = { messages: [{ role: "user", content: "hi" }] };
  const { runs } = clientOf(server);
  const parts = await allParts(
    runs.stream("t", "talking", { input, streamMode: "messages-tuple", ...fresh }),
  );
  expect(eventNames(parts)).toEqual(["metadata", "messages", "messages", "messages"]);
  expect(parts[1]?.data).toMatchObject([{ type: "ai", content: "H" }, { langgraph_node: "speak" }]);
});

test("mode events gives LangChain's own, under the id of the run, beside other modes", async () => {
  await using server = await startServer({ graphs: [{ name: "talking", graph: talking("Hey") }] });
  const input = { messages: [{ role: "user", content: "hi" }] };
  const { runs } = clientOf(server);
  const parts = await allParts(
    runs.stream("t", "talking", { input, streamMode: ["events", "values"], ...fresh }),
  );
  const events = parts.flatMap(({ event, data }) => (event === "events" ? [data] : []));
  const { run_id } = z.object({ run_id: z.uuid() }).parse(parts[0]?.data);
  expect(events[0]).toMatchObject({ event: "on_chain_start", run_id });
  expect(events.at(-1)).toMatchObject({ event: "on_chain_end", run_id });
  expect(events).toContainEqual(expect.objectContaining({ event: "on_chat_model_stream" }));
  expect(parts.filter(({ event }) => event === "values")).toHaveLength(2);
});

test("what subgraphs stream carries the way to them in its name", async () => {
  await using server = await startServer({ graphs: [{ name: "nested", graph: nested }] });
  const { runs } = clientOf(server);
  const options = { input: text, streamMode: "updates", ...fresh } as const;
  const parts = await allParts(runs.stream("t", "nested", { ...options, streamSubgraphs: true }));
  expect(eventNames(parts)).toEqual(["metadata", "updates|sub:id", "updates", "updates"]);
  expect(eventNames(await allParts(runs.stream("t", "nested", options)))).toEqual([
    "metadata",
    "updates",
    "updates",
  ]);
});

test("an interrupt is streamed, waits, and is answered by a command", async () => {
  await using server = await startServer({ graphs: [{ name: "asking", graph: asking }] });
  const { runs } = clientOf(server);
  const parts = await allParts(
    runs.stream("t", "asking", { input: text, streamMode: ["updates", "values"], ...fresh }),
  );
  const __interrupt__ = [{ id: expect.any(String), value: { question: "a" } }];
  expect(parts.slice(2)).toMatchObject([
    { event: "updates", data: { __interrupt__ } },
    { event: "values", data: { __interrupt__ } },
  ]);
  expect(await runs.wait("t", "asking", { command: { resume: "yes" } })).toEqual({ text: "a yes" });
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
  const whole = allParts(runs.joinStream("t", run_id));
  const updates = allParts(runs.joinStream("t", run_id, { streamMode: "updates" }));
  open();
  expect(eventNames(await whole)).toEqual(["metadata", "values", "updates", "values"]);
  expect(eventNames(await updates)).toEqual(["metadata", "updates"]);
  expect(await allParts(runs.joinStream("t", run_id))).toEqual(await whole);
});

test("a stream is taken up after the event that was the last, without a gap or a double", async () => {
  await using server = await startServer({ graphs: [{ name: "telling", graph: telling(1, 2, 3) }] });
  const { runs } = clientOf(server);
  const { run_id } = await runs.create("t", "telling", { input: text, streamMode: ["custom"], ...fresh });
  await runs.join("t", run_id);
  const whole = await allParts(runs.joinStream("t", run_id));
  expect(whole.map(({ data }) => data)).toEqual([{ run_id, attempt: 1 }, 1, 2, 3]);
  for (const [index, { id }] of whole.entries()) {
    const rest = await allParts(runs.joinStream("t", run_id, { lastEventId: id ?? "" }));
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
    seen.push(part);
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

test("a client whose instance is gone takes its stream up on another one and gets every event once", async () => {
  const { graph, entered, open } = gated();
  const graphs = [{ name: "gated", graph }];
  await using first = await startServer({ graphs });
  await using second = await startServer({ graphs, local: { databaseUrl: first.database.url } });
  await using proxy = await proxyTo(first.url);
  const parts = clientOf(proxy).runs.stream("t", "gated", { input: text, streamMode: "values", ...fresh });
  const seen: Part[] = [];
  for await (const part of parts) {
    seen.push(part);
    if (seen.length !== 2) continue;
    await entered;
    proxy.pointTo(second.url);
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

test("several clients follow one run at once, one of them slowly, and each gets every event once", async () => {
  const chunks = Array.from({ length: 300 }, (_, index) => ({ index, text: "x".repeat(2_000) }));
  await using server = await startServer({ graphs: [{ name: "telling", graph: telling(...chunks) }] });
  const { runs } = clientOf(server);
  const { run_id } = await runs.create("t", "telling", { input: text, streamMode: ["custom"], ...fresh });
  const slow = runs.joinStream("t", run_id)[Symbol.asyncIterator]();
  const first = await slow.next(); // and then it reads no more until all others have everything
  const others = Array.from({ length: 5 }, async () => allParts(runs.joinStream("t", run_id)));
  const joins = Array.from({ length: 5 }, async () => runs.join("t", run_id));
  const all = await Promise.all(others);
  await Promise.all(joins);
  const seen = [first.value, ...(await allParts({ [Symbol.asyncIterator]: () => slow }))];
  for (const parts of [...all, seen]) expect(parts.slice(1).map(({ data }) => data)).toEqual(chunks);
});
