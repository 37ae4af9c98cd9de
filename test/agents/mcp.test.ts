import { Annotation, type LangGraphRunnableConfig, START, StateGraph } from "@langchain/langgraph";
import { expect, test } from "vitest";
import { z } from "zod";
import { startHost, twoSteps } from "../support/deadline-host.ts";
import { asking, counter, doubler, failing, gated, shout } from "../support/graphs.ts";
import { connect, serve, textOf } from "../support/mcp.ts";
import { clientOf } from "../support/sdk.ts";
import { startServer } from "../support/server.ts";

const Text = Annotation.Root({ text: Annotation<string> });

test("a call runs the graph, and leaves nothing of the run", async () => {
  await using mcp = await serve();
  const answer = await mcp.call("shout", { text: "hello" });
  expect(answer).toEqual({
    content: [{ type: "text", text: '{"text":"hello!"}' }],
    structuredContent: { text: "hello!" },
  });
  expect(await clientOf(mcp.server).threads.search()).toEqual([]);
});

test("messages come as plain JSON, and what is no object is wrapped", async () => {
  await using mcp = await serve({
    graphs: [
      { name: "counter", graph: counter },
      { name: "doubler", graph: doubler },
    ],
  });
  const { structuredContent } = await mcp.call("counter", { messages: [{ role: "user", content: "hi" }] });
  expect(structuredContent).toMatchObject({
    messages: [{ type: "human" }, { type: "ai", content: "message 1" }],
  });
  expect((await mcp.call("doubler", { number: 21 })).structuredContent).toEqual({ result: 42 });
});

test("a tool's output is what the graph's output schema makes of it", async () => {
  await using mcp = await serve({
    graphs: [
      {
        name: "shout",
        graph: shout,
        outputSchema: z.object({ text: z.string().transform((text) => text.length) }),
      },
    ],
  });
  expect((await mcp.call("shout", { text: "four" })).structuredContent).toEqual({ text: 5 });
});

test("a graph that fails is a tool that failed, and tells nothing of why", async () => {
  await using mcp = await serve({ graphs: [{ name: "failing", graph: failing }] });
  const answer = await mcp.call("failing", { text: "a" });
  expect(answer.isError).toBe(true);
  expect(textOf(answer)).toMatch(/^Graph execution failed.* \(error id [\da-f-]{36}\)$/);
  expect(JSON.stringify(answer)).not.toContain("secret of the graph");
});

test("a tool that does not exist is named", async () => {
  await using mcp = await serve();
  await expect(mcp.call("whisper")).rejects.toMatchObject({
    code: -32602,
    message: expect.stringContaining("Tool 'whisper' not found"),
  });
});

test("arguments that do not fit are the tool's error, which names the field", async () => {
  await using mcp = await serve({
    graphs: [
      { name: "shout", graph: shout, inputSchema: z.object({ text: z.string() }) },
      { name: "counter", graph: counter },
    ],
    limits: { maxDepth: 4, maxMessageCharacters: 10 },
  });
  const wrong = await mcp.call("shout", { text: 7 });
  expect(wrong.isError).toBe(true);
  expect(textOf(wrong)).toContain("input.text: ");
  expect(textOf(await mcp.call("shout"))).toContain("input.text: ");
  expect(textOf(await mcp.call("shout", { text: [[[[["deep"]]]]] }))).toContain("maximum nesting depth of 4");
  const long = await mcp.call("counter", { messages: [{ role: "user", content: "more than ten" }] });
  expect(textOf(long)).toBe("input.messages.0: 13 characters (max 10)");
  expect((await mcp.call("shout", { text: "fits" })).isError).toBeUndefined();
});

test("a graph that interrupts says what it waits for", async () => {
  await using mcp = await serve({ graphs: [{ name: "asking", graph: asking }] });
  const answer = await mcp.call("asking", { text: "May I?" });
  expect(answer.isError).toBe(true);
  expect(textOf(answer)).toContain('"question":"May I?"');
});

test("two calls at once do not wait for each other", async () => {
  const gates = [gated(), gated()] as const;
  await using mcp = await serve({
    graphs: gates.map(({ graph }, index) => ({ name: `gate${index}`, graph })),
  });
  const calls = [mcp.call("gate0", { text: "first" }), mcp.call("gate1", { text: "second" })] as const;
  await Promise.all(gates.map(({ entered }) => entered));
  gates[1].open();
  expect((await calls[1]).structuredContent).toEqual({ text: "second after all" });
  gates[0].open();
  expect((await calls[0]).structuredContent).toEqual({ text: "first after all" });
});

test("a client that wants to know is told that a long call goes on", async () => {
  const { graph, open } = gated();
  await using mcp = await serve({ graphs: [{ name: "slow", graph }] });
  const told: number[] = [];
  const onprogress = ({ progress }: { progress: number }): void => {
    told.push(progress);
    if (told.length === 2) open();
  };
  const answer = await mcp.client.callTool({ name: "slow", arguments: { text: "done" } }, undefined, {
    onprogress,
  });
  expect(answer.structuredContent).toEqual({ text: "done after all" });
  expect(told).toEqual([...new Set(told)].sort((a, b) => a - b));
  expect(told.length).toBeGreaterThanOrEqual(2);
}, 30_000);

test("a run stops when its client goes away", async () => {
  let stop = (): void => undefined;
  let enter = (): void => undefined;
  const stopped = new Promise<void>((resolve) => (stop = resolve));
  const entered = new Promise<void>((resolve) => (enter = resolve));
  const graph = new StateGraph(Text)
    .addNode("wait", async (state, { signal }: LangGraphRunnableConfig) => {
      enter();
      await new Promise<void>((resolve) => signal?.addEventListener("abort", () => resolve()));
      stop();
      return state;
    })
    .addEdge(START, "wait")
    .compile();
  await using mcp = await serve({ graphs: [{ name: "waiting", graph }] });
  const call = mcp.call("waiting", { text: "a" }).catch((error: unknown) => error);
  await entered;
  await mcp.client.close();
  await stopped;
  expect(await call).toMatchObject({ message: expect.stringContaining("Connection closed") });
});

test("a call waits for its run, also when another invocation goes on with it", async () => {
  const { graph, attempts } = twoSteps();
  await using host = await startHost([{ name: "steps", graph }], 20_000); // of which a tenth is for the other one
  await using mcp = await connect(host);
  expect((await mcp.call("steps", { text: "a" })).structuredContent).toEqual({ text: "a first second" });
  expect(attempts()).toBe(2);
}, 60_000);

test("a run that outlives its call is told of, and goes on", async () => {
  const { graph, open } = gated();
  await using host = await startHost([{ name: "slow", graph }], 1_000);
  await using mcp = await connect(host);
  const answer = await mcp.call("slow", { text: "a" });
  open();
  expect(answer.isError).toBe(true);
  expect(textOf(answer)).toMatch(/^Run '[\da-f-]{36}' takes longer than a call may; it goes on/);
});

test("a run sees the headers of its call, and its caller's context", async () => {
  const graph = new StateGraph(Text)
    .addNode("tell", (_, { configurable, context }: LangGraphRunnableConfig) => ({
      text: JSON.stringify([configurable?.["x-user-id"], context]),
    }))
    .addEdge(START, "tell")
    .compile();
  await using server = await startServer({
    graphs: [{ name: "tell", graph, context: ({ headers }) => ({ user: headers.get("x-user-id") }) }],
  });
  await using mcp = await connect(server, { "x-user-id": "ada" });
  expect((await mcp.call("tell", {})).structuredContent).toEqual({ text: '["ada",{"user":"ada"}]' });
});
