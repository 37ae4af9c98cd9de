/** LangGraph's `RemoteGraph`: a graph that is ours, used as if it were here. */

import { Annotation, Command, isGraphInterrupt, Send, START, StateGraph } from "@langchain/langgraph";
import { RemoteGraph } from "@langchain/langgraph/remote";
import { HumanMessage } from "@langchain/core/messages";
import { expect, test } from "vitest";
import { branching } from "../support/drawn-graphs.ts";
import { asking, counter, failing, reporting, shout } from "../support/graphs.ts";
import { clientOf } from "../support/sdk.ts";
import { startServer, type TestServer } from "../support/server.ts";

const graphs = Object.entries({ asking, branching, counter, failing, reporting, shout }).map(
  ([name, graph]) => ({
    name,
    graph,
  }),
);

const remote = (server: TestServer, graphId: string) =>
  new RemoteGraph({ graphId, client: clientOf(server) });

test("it is invoked, with and without a thread", async () => {
  await using server = await startServer({ graphs });
  expect(await remote(server, "shout").invoke({ text: "a" })).toEqual({ text: "a!" });
  const thread = { configurable: { thread_id: "t" } };
  const messages = { messages: [new HumanMessage("hi")] };
  await remote(server, "counter").invoke(messages, thread);
  expect(await remote(server, "counter").invoke(messages, thread)).toMatchObject({
    messages: [{}, {}, {}, { content: "message 3" }],
  });
});

test("it is any assistant, by its id, and takes config and context", async () => {
  await using server = await startServer({ graphs });
  const { assistant_id } = await clientOf(server).assistants.create({
    graphId: "reporting",
    context: { user: "ada" },
  });
  const options = {
    configurable: { tone: "soft" },
    tags: ["mine"],
    metadata: { origin: "remote" },
    context: { team: "a" },
  };
  expect(await remote(server, assistant_id).invoke({ text: "a" }, options)).toMatchObject({
    report: {
      configurable: { tone: "soft", assistant_id },
      context: { user: "ada", team: "a" },
      metadata: { origin: "remote" },
    },
  });
});

test("it streams, in one mode and in several", async () => {
  await using server = await startServer({ graphs });
  const parts = async (options: object) => {
    const found: unknown[] = [];
    for await (const part of await remote(server, "shout").stream({ text: "a" }, options)) found.push(part);
    return found;
  };
  expect(await parts({ streamMode: "values" })).toEqual([{ text: "a" }, { text: "a!" }]);
  expect(await parts({ streamMode: ["values", "updates"] })).toEqual([
    ["values", { text: "a" }],
    ["updates", { shout: { text: "a!" } }],
    ["values", { text: "a!" }],
  ]);
});

test("its state is read, edited, and its history told", async () => {
  await using server = await startServer({ graphs });
  const graph = remote(server, "shout");
  const thread = { configurable: { thread_id: "t" } };
  await graph.invoke({ text: "a" }, thread);
  const state = await graph.getState(thread);
  expect(state).toMatchObject({ values: { text: "a!" }, next: [], config: thread });
  const edited = await graph.updateState(thread, { text: "b" }, "shout");
  expect(await graph.getState(edited)).toMatchObject({ values: { text: "b" } });
  expect(await graph.getState(state.config)).toMatchObject({ values: { text: "a!" } });
  const history: unknown[] = [];
  for await (const { values } of graph.getStateHistory(thread)) history.push(values);
  expect(history.slice(0, 2)).toEqual([{ text: "b" }, { text: "a!" }]);
});

test("it is interrupted, and resumed", async () => {
  await using server = await startServer({ graphs });
  const graph = remote(server, "asking");
  const thread = { configurable: { thread_id: "t" } };
  const interrupted = await graph.invoke({ text: "a" }, thread).catch((error: unknown) => error);
  expect(isGraphInterrupt(interrupted) && interrupted.interrupts).toMatchObject([
    { value: { question: "a" } },
  ]);
  expect((await graph.getState(thread)).next).toEqual(["ask"]);
  expect(await graph.invoke(new Command({ resume: "yes" }), thread)).toEqual({ text: "a yes" });
});

test("a command edits its state and sends it elsewhere", async () => {
  await using server = await startServer({ graphs });
  const graph = remote(server, "shout");
  const thread = { configurable: { thread_id: "t" } };
  await graph.invoke({ text: "a" }, thread);
  const command = new Command({ goto: [new Send("shout", { text: "b" })] });
  expect(await graph.invoke(command, thread)).toEqual({ text: "b!" });
});

test("a failure says that the remote graph failed, and not why", async () => {
  await using server = await startServer({ graphs });
  await expect(remote(server, "failing").invoke({ text: "a" })).rejects.toThrow("Graph execution failed");
  await expect(remote(server, "nobody").invoke({ text: "a" })).rejects.toThrow("404");
});

test("it is drawn, and tells its subgraphs", async () => {
  await using server = await startServer({ graphs });
  const graph = remote(server, "branching");
  const drawn = await graph.getGraphAsync({ xray: true });
  expect(Object.keys(drawn.nodes)).toEqual([
    "__start__",
    "choose",
    "middle:before",
    "middle:inner:one",
    "middle:inner:two",
    "__end__",
  ]);
  expect(drawn.drawMermaid()).toContain("choose");
  const namespaces: string[] = [];
  for await (const [namespace] of graph.getSubgraphsAsync(undefined, true)) namespaces.push(namespace);
  expect(namespaces).toEqual(["middle", "middle|inner"]);
});

test("it is a node of a graph here", async () => {
  await using server = await startServer({ graphs });
  const here = new StateGraph(Annotation.Root({ text: Annotation<string> }))
    .addNode("there", remote(server, "shout"))
    .addEdge(START, "there")
    .compile();
  expect(await here.invoke({ text: "a" })).toEqual({ text: "a!" });
});
