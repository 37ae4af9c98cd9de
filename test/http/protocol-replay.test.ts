import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { echo, gated, shout, telling } from "../support/graphs.ts";
import { dataOf, isEnd, isEndOf, openStream, outline, startRun } from "../support/protocol.ts";
import { startServer } from "../support/server.ts";
import { nested } from "../support/streaming-graphs.ts";

const text = { text: "a" };

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
