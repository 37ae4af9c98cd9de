import { tool } from "@langchain/core/tools";
import { AIMessage } from "@langchain/core/messages";
import {
  Annotation,
  MessagesAnnotation,
  START,
  StateGraph,
  StreamChannel,
  type StreamTransformer,
} from "@langchain/langgraph";
import { ToolNode } from "@langchain/langgraph/prebuilt";
import { expect, test, vi } from "vitest";
import { z } from "zod";
import { asking, counter, failing, shout, telling } from "../support/graphs.ts";
import { nested as nestedAsking } from "../support/nested-graph.ts";
import { clientOf } from "../support/sdk.ts";
import { startServer } from "../support/server.ts";
import { nested, talking } from "../support/streaming-graphs.ts";

const text = { text: "a" };

const add = tool(async ({ a, b }) => String(a + b), {
  name: "add",
  description: "Adds",
  schema: z.object({ a: z.number(), b: z.number() }),
});
const fail = tool(
  async () => {
    throw new Error("no luck");
  },
  { name: "fail", description: "Fails", schema: z.object({}) },
);

/** Calls both tools. */
const calling = new StateGraph(MessagesAnnotation)
  .addNode("call", () => {
    const tool_calls = [
      { id: "1", name: "add", args: { a: 1, b: 2 } },
      { id: "2", name: "fail", args: {} },
    ];
    return { messages: [new AIMessage({ content: "", tool_calls })] };
  })
  .addNode("tools", new ToolNode([add, fail]))
  .addEdge(START, "call")
  .addEdge("call", "tools")
  .compile();

/** Has a channel of its own, and a value that is there at the end. */
const channelled = new StateGraph(Annotation.Root({ text: Annotation<string> }))
  .addNode("shout", (state) => ({ text: `${state.text}!` }))
  .addEdge(START, "shout")
  .compile({ transformers: [stepsAndResult] });

function stepsAndResult(): StreamTransformer {
  const steps = StreamChannel.remote<object>("steps");
  return {
    init: () => ({ steps, result: Promise.resolve("done") }),
    process: ({ method, params }) => {
      if (method === "updates") steps.push({ node: params.node });
      return true;
    },
  };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

test("a run has values on its way, and an output", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  await using thread = open(server, "shout");
  const { run_id } = await thread.run.start({ input: text });
  expect(await all(thread.values)).toEqual([{ text: "a" }, { text: "a!" }]);
  expect(await thread.output).toEqual({ text: "a!" });
  expect(await clientOf(server).runs.get("t", String(run_id))).toMatchObject({ status: "success" });
});

test("one stream serves one run after the other", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  await using thread = open(server, "shout");
  const seen: unknown[] = [];
  thread.onEvent(({ method, params }) => {
    if (method === "values") seen.push(params.data);
  });
  const subscription = await thread.subscribe(["values", "lifecycle"]);
  for (const word of ["a", "b"]) {
    await thread.run.start({ input: { text: word } });
    await vi.waitFor(() => expect(seen.at(-1)).toEqual({ text: `${word}!` }), { timeout: 10_000 });
  }
  expect(seen).toEqual(["a", "a!", "b", "b!"].map((text) => ({ text })));
  await subscription.unsubscribe();
});

test("each stream of a thread that has been used has the output of its own run", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  for (const word of ["a", "b", "c"]) {
    await using thread = open(server, "shout");
    await thread.run.start({ input: { text: word } });
    expect(await thread.output).toEqual({ text: `${word}!` });
  }
});

test("messages stream their text", async () => {
  await using server = await startServer({ graphs: [{ name: "talking", graph: talking("Hello there") }] });
  await using thread = open(server, "talking");
  const messages = thread.messages;
  await thread.run.start({ input: { messages: [{ role: "user", content: "hi" }] } });
  for await (const message of messages) {
    expect((await all(message.text)).length).toBeGreaterThan(1);
    expect(await message.text).toBe("Hello there");
  }
  expect(await thread.output).toMatchObject({ messages: [{ content: "hi" }, { content: "Hello there" }] });
});

test("tool calls tell what went in, what came out, and what went wrong", async () => {
  await using server = await startServer({ graphs: [{ name: "calling", graph: calling }] });
  await using thread = open(server, "calling");
  const toolCalls = thread.toolCalls;
  await thread.run.start({ input: { messages: [] } });
  const calls = (await all(toolCalls)).slice(0, 2); // the client gives each call once more when it has ended
  expect(calls.map(({ name, callId }) => [name, callId])).toEqual([
    ["add", "1"],
    ["fail", "2"],
  ]);
  expect(await calls[0]?.output).toBe("3");
  await expect(calls[1]?.output).rejects.toThrow("no luck");
});

test("an interrupt is seen, answered, and gone on from", async () => {
  await using server = await startServer({ graphs: [{ name: "asking", graph: asking }] });
  await using thread = open(server, "asking");
  await thread.run.start({ input: text });
  await thread.output;
  expect(thread.interrupted).toBe(true);
  expect(thread.interrupts).toMatchObject([{ payload: { question: "a" }, namespace: [] }]);
  const interruptId = String(thread.interrupts[0]?.interruptId);
  const subscription = await thread.subscribe(["values"]);
  await thread.input.respond({ namespace: [], interrupt_id: interruptId, response: "yes" });
  for await (const { params } of subscription) if (JSON.stringify(params.data) === '{"text":"a yes"}') break;
  await clientOf(server).runs.list("t");
  expect((await clientOf(server).threads.getState("t")).values).toEqual({ text: "a yes" });
});

test("an interrupt within a subgraph says where it comes from", async () => {
  await using server = await startServer({ graphs: [{ name: "nested", graph: nestedAsking }] });
  await using thread = open(server, "nested");
  await thread.run.start({ input: text });
  await thread.output;
  expect(thread.interrupts).toMatchObject([
    { payload: "inner a", namespace: [expect.stringMatching(/^child:/)] },
  ]);
});

test("subgraphs are found while they work", async () => {
  await using server = await startServer({ graphs: [{ name: "nested", graph: nested }] });
  await using thread = open(server, "nested");
  const subgraphs = thread.subgraphs;
  await thread.run.start({ input: text });
  const names = [];
  for await (const subgraph of subgraphs) names.push(subgraph.name);
  expect(names).toEqual(["sub"]);
  expect(await thread.output).toEqual({ text: "a, within, last" });
});

test("custom channels come under their names, those of the graph's own transformers too", async () => {
  const graphs = [
    { name: "telling", graph: telling({ at: 1 }, { name: "progress", payload: 2 }) },
    { name: "channelled", graph: channelled },
  ];
  await using server = await startServer({ graphs });
  await using telt = open(server, "telling");
  const custom = await telt.subscribe(["custom"]);
  const progress = telt.extensions["progress"];
  await telt.run.start({ input: text });
  expect((await all(custom)).map(({ params }) => params.data)).toEqual([
    { payload: { at: 1 } },
    { name: "progress", payload: 2 },
  ]);
  expect(await progress).toBe(2);

  await using thread = open(server, "channelled", "other");
  const { steps, result } = thread.extensions;
  await thread.run.start({ input: text });
  expect(await steps).toEqual({ node: "shout" });
  expect(await result).toBe("done");
});

test("a failure ends the stream, and says so", async () => {
  await using server = await startServer({ graphs: [{ name: "failing", graph: failing }] });
  await using thread = open(server, "failing");
  const subscription = await thread.subscribe(["lifecycle"]);
  await thread.run.start({ input: text });
  const statuses = (await all(subscription)).map(({ params }) => params.data);
  expect(statuses).toMatchObject([
    { event: "running" },
    { event: "failed", error: expect.stringContaining("error id") },
  ]);
});

test("a command that is refused rejects with the protocol's word for it", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  await using thread = open(server, "shout");
  await expect(thread.agent.getTree()).rejects.toMatchObject({ code: "no_such_run" });
  const answer = { namespace: [], interrupt_id: "x", response: 1 };
  await expect(thread.input.respond(answer)).rejects.toMatchObject({ code: "no_such_run" });
  const message = { role: "user", content: "hi" } as const;
  await expect(thread.input.inject({ namespace: [], message })).rejects.toMatchObject({
    code: "not_supported",
  });
  await using nobody = open(server, "nobody");
  await expect(nobody.run.start({ input: text })).rejects.toThrow("Assistant 'nobody' not found");
});

test("the state, the tree and the checkpoints are read, and a run forks from one", async () => {
  await using server = await startServer({ graphs: [{ name: "counter", graph: counter }] });
  await using thread = open(server, "counter");
  await thread.run.start({ input: { messages: [{ role: "user", content: "one" }] } });
  await thread.output;
  const { values, checkpoint } = await thread.state.get({ namespace: [] });
  expect(values).toMatchObject({ messages: [{ content: "one" }, { content: "message 1" }] });
  expect(await thread.agent.getTree()).toMatchObject({
    tree: { status: "completed", graph_name: "counter" },
  });
  const { checkpoints } = await thread.state.listCheckpoints({ namespace: [] });
  expect(checkpoints[0]).toMatchObject({ id: checkpoint?.id, step: 1 });
  const { run_id } = await thread.run.start({ input: { messages: [{ role: "user", content: "two" }] } });
  await clientOf(server).runs.join("t", String(run_id));
  await using other = open(server, "counter");
  const input = { messages: [{ role: "user", content: "three" }] };
  await other.run.start({ input, forkFrom: String(checkpoint?.id) });
  expect(await other.output).toMatchObject({
    messages: [{ content: "one" }, { content: "message 1" }, { content: "three" }, {}],
  });
});

function open(server: { readonly url: string }, assistantId: string, threadId = "t") {
  const thread = clientOf(server).threads.stream(threadId, { assistantId });
  return Object.assign(thread, { [Symbol.asyncDispose]: async () => thread.close() });
}
