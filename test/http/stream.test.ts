import { expect, test } from "vitest";
import { z } from "zod";
import { allEvents, readEvents, type ServerEvent } from "../support/events.ts";
import { asking, counter, doubler, failing, forgetting, gated, shout, telling } from "../support/graphs.ts";
import { startServer, type TestServer } from "../support/server.ts";

const end = { event: "end", data: {} };

async function open({ url }: TestServer, graph: string, body: unknown): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return fetch(`${url}/graphs/${graph}/stream`, { method: "POST", headers, body: JSON.stringify(body) });
}

async function events(server: TestServer, graph: string, body: unknown): Promise<ServerEvent[]> {
  return allEvents(await open(server, graph, body));
}

test("the first event arrives while the graph still works", async () => {
  const gate = gated();
  await using server = await startServer({ graphs: [{ name: "gated", graph: gate.graph }] });
  const frames = readEvents(await open(server, "gated", { input: { text: "later" } }));

  expect((await frames.next()).value).toEqual({ event: "data", data: { text: "later" } });
  gate.open(); // only now can the graph finish
  expect((await frames.next()).value).toEqual({ event: "data", data: { text: "later after all" } });
  expect((await frames.next()).value).toEqual(end);
  expect((await frames.next()).done).toBe(true);
});

test("a stream tells caches and proxies to leave it alone", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const response = await open(server, "shout", { input: { text: "a" } });
  expect(response.status).toBe(200);
  expect(Object.fromEntries(response.headers)).toMatchObject({
    "content-type": "text/event-stream",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
  });
  expect(await response.text()).toBe(
    'event: data\ndata: {"text":"a"}\n\nevent: data\ndata: {"text":"a!"}\n\nevent: end\ndata: {}\n\n',
  );
});

test("values, which is the default, begin with the input state", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const frames = [{ event: "data", data: { text: "a" } }, { event: "data", data: { text: "a!" } }, end];
  expect(await events(server, "shout", { input: { text: "a" } })).toEqual(frames);
  expect(await events(server, "shout", { input: { text: "a" }, stream_mode: "values" })).toEqual(frames);
});

test("updates say which node gave what", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const frames = await events(server, "shout", { input: { text: "a" }, stream_mode: "updates" });
  expect(frames).toEqual([{ event: "data", data: { shout: { text: "a!" } } }, end]);
});

test("messages come as pairs of a flat message and its metadata", async () => {
  await using server = await startServer({ graphs: [{ name: "counter", graph: counter }] });
  const input = { messages: [{ role: "user", content: "hi" }] };
  for (const config of [null, { configurable: { thread_id: "t" } }]) {
    const frames = await events(server, "counter", { input, config, stream_mode: "messages" });
    expect(frames.at(-1)).toEqual(end);
    const message = { type: "ai", content: expect.stringMatching(/^message \d$/) };
    expect(frames.at(-2)).toMatchObject({ data: { data: [message, { langgraph_node: "count" }] } });
    expect(JSON.stringify(frames)).not.toMatch(/lc_|"constructor"/);
  }
});

test("what a node writes comes as it is, and wrapped if it is not an object", async () => {
  const values = [{ progress: 1 }, "text", 7, null, ["a", 1], { nested: { list: [{}] } }];
  await using server = await startServer({ graphs: [{ name: "telling", graph: telling(...values) }] });
  const frames = await events(server, "telling", { input: { text: "a" }, stream_mode: "custom" });
  expect(frames.map(({ data }) => data)).toEqual([
    { progress: 1 },
    { data: "text" },
    { data: 7 },
    { data: null },
    { data: ["a", 1] },
    { nested: { list: [{}] } },
    {},
  ]);
});

test("line breaks in a value cannot break a frame", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const text = "a\n\nevent: error\ndata: {}\r\r\n\u2028\u2029\u0085b";
  expect(await events(server, "shout", { input: { text } })).toEqual([
    { event: "data", data: { text } },
    { event: "data", data: { text: `${text}!` } },
    end,
  ]);
});

test("numbers that JSON has no word for come as null", async () => {
  const graph = telling({ number: Number.NaN }, Number.POSITIVE_INFINITY, { big: 2n ** 64n });
  await using server = await startServer({ graphs: [{ name: "telling", graph }] });
  const frames = await events(server, "telling", { input: { text: "" }, stream_mode: "custom" });
  expect(frames.map(({ data }) => data)).toEqual([
    { number: null },
    { data: null },
    { big: "18446744073709551616" },
    {},
  ]);
});

test("a result that is not an object is wrapped", async () => {
  await using server = await startServer({ graphs: [{ name: "doubler", graph: doubler }] });
  expect((await events(server, "doubler", { input: { number: 21 } })).slice(-2)).toEqual([
    { event: "data", data: { data: 42 } },
    end,
  ]);
});

test("a graph that keeps no state streams", async () => {
  await using server = await startServer({ graphs: [{ name: "forgetting", graph: forgetting }] });
  const config = { configurable: { thread_id: "t" } };
  const frames = await events(server, "forgetting", { input: { text: "a" }, config });
  expect(frames).toEqual([
    { event: "data", data: { text: "a" } },
    { event: "data", data: { text: "a!" } },
    end,
  ]);
});

test("an interrupt shows in values and in updates, and a command goes on from it", async () => {
  await using server = await startServer({ graphs: [{ name: "asking", graph: asking }] });
  for (const stream_mode of ["values", "updates"]) {
    const config = { configurable: { thread_id: stream_mode } };
    const asked = await events(server, "asking", { input: { text: "Q" }, config, stream_mode });
    const question = { __interrupt__: [{ value: { question: "Q" } }] };
    expect(asked.slice(-2)).toMatchObject([{ event: "data", data: question }, end]);

    const answered = await events(server, "asking", { command: { resume: "A" }, config, stream_mode });
    const data = stream_mode === "values" ? { text: "Q A" } : { ask: { text: "Q A" } };
    expect(answered.slice(-2)).toEqual([{ event: "data", data }, end]);
  }
});

test("the input schema holds for streams as well", async () => {
  const inputSchema = z.object({ text: z.string().default("a") });
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout, inputSchema }] });
  expect(await events(server, "shout", { input: {} })).toContainEqual({
    event: "data",
    data: { text: "a!" },
  });
  expect((await open(server, "shout", { input: { text: 1 } })).status).toBe(422);
});

test.each(["live", "buffered"] as const)(
  "a failure in a %s stream is an error, then the end, and none of the graph's words",
  async (streaming) => {
    await using server = await startServer({ graphs: [{ name: "failing", graph: failing }], streaming });
    for (const config of [null, { configurable: { thread_id: "t" } }]) {
      const text = await (await open(server, "failing", { input: { text: "a" }, config })).text();
      expect(text).not.toMatch(/secret|second|\.ts|node_modules| at /);
      const frames = await allEvents(new Response(text));
      const error = expect.stringMatching(/^Graph execution failed \(error id [0-9a-f-]{36}\)$/);
      expect(frames.slice(-2)).toEqual([{ event: "error", data: { error } }, end]);
      const [, error_id] = /\(error id (.*?)\)/.exec(text) ?? [];
      expect(server.errors.at(-1)).toMatchObject({
        fields: { error_id, err: { message: "secret of the graph" } },
      });
    }
  },
);

test("a buffered stream has the same bytes as a live one", async () => {
  const graphs = [
    { name: "shout", graph: shout },
    { name: "telling", graph: telling("ä", { text: "\u2028" }) },
  ];
  await using live = await startServer({ graphs });
  await using buffered = await startServer({ graphs, streaming: "buffered" });
  for (const [graph, stream_mode] of [
    ["shout", "values"],
    ["shout", "updates"],
    ["telling", "custom"],
  ] as const) {
    const body = { input: { text: "a" }, stream_mode };
    const [one, other] = [await open(live, graph, body), await open(buffered, graph, body)];
    expect(other.headers.get("content-type")).toBe(one.headers.get("content-type"));
    expect(await other.text()).toBe(await one.text());
  }
});

test("a buffered stream that overflows has the frames so far, one error, and the end", async () => {
  const graph = telling({ number: 1 }, { text: "x".repeat(200) }, { number: 2 });
  const options = { streaming: "buffered", maxStreamResponseBytes: 100 } as const;
  await using server = await startServer({ graphs: [{ name: "telling", graph }], ...options });
  const config = { configurable: { thread_id: "t" } };
  expect(await events(server, "telling", { input: { text: "a" }, config, stream_mode: "custom" })).toEqual([
    { event: "data", data: { number: 1 } },
    { event: "error", data: { error: "stream response exceeded max buffered size (100 bytes)" } },
    end,
  ]);
  const state = await server.get("/graphs/telling/threads/t/state");
  expect(state).toMatchObject({ status: 200, body: { next: [] } }); // the run went on to its end
});

test("the size of a buffered stream counts bytes, its end among them", async () => {
  const whole = 'event: data\ndata: {"ä":1}\n\nevent: end\ndata: {}\n\n';
  for (const spare of [0, -1]) {
    const maxStreamResponseBytes = Buffer.byteLength(whole) + spare;
    await using server = await startServer({
      graphs: [{ name: "telling", graph: telling({ ä: 1 }) }],
      streaming: "buffered",
      maxStreamResponseBytes,
    });
    const text = await (
      await open(server, "telling", { input: { text: "a" }, stream_mode: "custom" })
    ).text();
    if (spare === 0) expect(text).toBe(whole);
    else expect(text).toContain(`exceeded max buffered size (${maxStreamResponseBytes} bytes)`);
  }
});
