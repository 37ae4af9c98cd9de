/** What the official SDK shows of an assistant's graph: its drawing, its schemas, its subgraphs. */

import { expect, test } from "vitest";
import { z } from "zod";
import {
  agent,
  branching,
  narrow,
  ofAnnotation,
  ofStateSchema,
  ofZod3,
  ofZod4,
} from "../support/drawn-graphs.ts";
import { doubler, shout } from "../support/graphs.ts";
import { clientOf } from "../support/sdk.ts";
import { startServer } from "../support/server.ts";

const graphs = Object.entries({
  agent,
  branching,
  narrow,
  ofAnnotation,
  ofStateSchema,
  ofZod3,
  ofZod4,
  doubler,
}).map(([name, graph]) => ({ name, graph }));

const DRAFT_7 = "http://json-schema.org/draft-07/schema#";
const DRAFT_2020 = "https://json-schema.org/draft/2020-12/schema";
const messages = { langgraph_type: "messages" };

/** As the official server answers for the same graph. */
test("a graph is drawn, with its subgraphs opened as far as is asked for", async () => {
  await using server = await startServer({ graphs });
  const { assistants } = clientOf(server);
  const schema = { type: "schema", data: { $schema: DRAFT_2020 } };
  const node = (id: string, name: string) => ({
    id,
    type: "runnable",
    data: { id: ["langgraph", "RunnableCallable"], name },
  });
  const subgraph = (id: string) => ({
    id,
    type: "runnable",
    data: { id: ["langgraph", "pregel", "CompiledStateGraph"], name: "LangGraph" },
  });
  const closed = {
    nodes: [
      { id: "__start__", ...schema },
      node("choose", "choose"),
      subgraph("middle"),
      { id: "__end__", ...schema },
    ],
    edges: [
      { source: "__start__", target: "choose", conditional: false },
      { source: "choose", target: "middle", data: "yes", conditional: true },
      { source: "choose", target: "__end__", data: "no", conditional: true },
    ],
  };
  expect(await assistants.getGraph("branching")).toEqual(closed);
  expect(await assistants.getGraph("branching", { xray: false })).toEqual(closed);
  expect(await assistants.getGraph("branching", { xray: 0 })).toEqual(closed);

  const nodes = async (xray: boolean | number) =>
    (await assistants.getGraph("branching", { xray })).nodes.slice(1, -1);
  const before = node("middle:before", "before");
  const opened = [before, node("middle:inner:one", "one"), node("middle:inner:two", "two")];
  expect(await nodes(1)).toEqual([node("choose", "choose"), before, subgraph("middle:inner")]);
  expect(await nodes(2)).toEqual([node("choose", "choose"), ...opened]);
  expect(await nodes(true)).toEqual([node("choose", "choose"), ...opened]);
});

test("agents and entrypoints are drawn, too", async () => {
  await using server = await startServer({ graphs });
  const { assistants } = clientOf(server);
  const ids = async (graph: string) => (await assistants.getGraph(graph)).nodes.map(({ id }) => id);
  expect(await ids("agent")).toEqual(["__start__", "tools", "agent", "__end__"]);
  expect(await ids("doubler")).toEqual([0, 1, 2]);
});

test("a factory draws the graph of the assistant's own config", async () => {
  const factory = (config: { configurable?: Readonly<Record<string, unknown>> }) =>
    config.configurable?.["nested"] === true ? branching : shout;
  await using server = await startServer({ graphs: [{ name: "made", graph: factory }] });
  const { assistants } = clientOf(server);
  const { assistant_id } = await assistants.create({
    graphId: "made",
    config: { configurable: { nested: true } },
  });
  const ids = async (assistant: string) => (await assistants.getGraph(assistant)).nodes.map(({ id }) => id);
  expect(await ids("made")).toEqual(["__start__", "shout", "__end__"]);
  expect(await ids(assistant_id)).toEqual(["__start__", "choose", "middle", "__end__"]);
  expect(Object.keys(await assistants.getSubgraphs(assistant_id))).toEqual(["middle"]);
});

/** As the official server answers for the same graph. */
test("schemas of a zod 3 state", async () => {
  await using server = await startServer({ graphs });
  const text = { type: "string", description: "What is said" };
  const state = {
    $schema: DRAFT_7,
    type: "object",
    properties: { messages, text, times: { type: "number", default: 3 } },
    additionalProperties: false,
  };
  const context = {
    $schema: DRAFT_7,
    type: "object",
    properties: { user: { type: "string" } },
    required: ["user"],
    additionalProperties: false,
  };
  expect(await clientOf(server).assistants.getSchemas("ofZod3")).toEqual({
    graph_id: "ofZod3",
    input_schema: state,
    output_schema: { ...state, required: ["text"] },
    state_schema: state,
    config_schema: context,
    context_schema: context,
  });
});

test("schemas of a zod 4 state: what goes in is what reducers take, what comes out is whole", async () => {
  await using server = await startServer({ graphs });
  const state = (words: object) => ({
    $schema: DRAFT_2020,
    type: "object",
    properties: {
      text: { type: "string", description: "What is said" },
      times: { type: "number", default: 3 },
      messages,
      words,
    },
    additionalProperties: false,
  });
  const context = {
    $schema: DRAFT_2020,
    type: "object",
    properties: { user: { type: "string" } },
    additionalProperties: false,
  };
  expect(await clientOf(server).assistants.getSchemas("ofZod4")).toEqual({
    graph_id: "ofZod4",
    input_schema: state({ type: "string" }),
    output_schema: {
      ...state({ type: "array", items: { type: "string" } }),
      required: ["text", "times", "messages", "words"],
    },
    state_schema: state({ type: "string" }),
    config_schema: context,
    context_schema: context,
  });
});

/** As the official server answers for the same graph. */
test("schemas of a graph with an input and an output of its own", async () => {
  await using server = await startServer({ graphs });
  const object = (properties: object) => ({
    $schema: DRAFT_2020,
    type: "object",
    properties,
    additionalProperties: false,
  });
  const question = { type: "string" };
  const answer = { type: "number" };
  expect(await clientOf(server).assistants.getSchemas("narrow")).toEqual({
    graph_id: "narrow",
    input_schema: object({ question }),
    output_schema: { ...object({ answer }), required: ["answer"] },
    state_schema: object({ question, answer }),
  });
});

/** As the official server answers for the same graph. */
test("schemas of a StateSchema", async () => {
  await using server = await startServer({ graphs });
  const own = (schema: object) => ({ $schema: DRAFT_7, ...schema });
  const properties = {
    messages: { ...messages, description: "A list of chat messages" },
    times: own({ type: "number" }),
    step: own({ type: "string", default: "first" }),
  };
  const state = {
    type: "object",
    properties: {
      ...properties,
      words: own({ type: "array", items: { type: "string" }, default: [] }),
    },
    required: ["times"],
  };
  expect(await clientOf(server).assistants.getSchemas("ofStateSchema")).toEqual({
    graph_id: "ofStateSchema",
    input_schema: { type: "object", properties: { ...properties, words: own({ type: "string" }) } },
    output_schema: state,
    state_schema: state,
  });
});

test("of annotations, the names are left, and which one has messages; of an agent's state as well", async () => {
  await using server = await startServer({ graphs });
  const { assistants } = clientOf(server);
  const state = (properties: object) => ({ $schema: DRAFT_7, type: "object", properties });
  expect(await assistants.getSchemas("ofAnnotation")).toEqual({
    graph_id: "ofAnnotation",
    input_schema: state({ messages, text: {}, count: {} }),
    output_schema: state({ count: {} }),
    state_schema: state({ messages, text: {}, count: {} }),
  });
  expect(await assistants.getSchemas("agent")).toMatchObject({ input_schema: { properties: { messages } } });
});

test("what a graph does not tell is missing; what it is registered with goes before its own", async () => {
  const registered = {
    name: "registered",
    graph: doubler,
    inputSchema: z.object({ number: z.int().default(1) }),
    outputSchema: z.number(),
  };
  await using server = await startServer({ graphs: [...graphs, registered] });
  const { assistants } = clientOf(server);
  expect(await assistants.getSchemas("doubler")).toEqual({ graph_id: "doubler" });
  expect(await assistants.getSchemas("registered")).toMatchObject({
    input_schema: { type: "object", properties: { number: { type: "integer", default: 1 } } },
    output_schema: { type: "number" },
  });
});

test("subgraphs are found by their namespace, down to the last when asked to recurse", async () => {
  await using server = await startServer({ graphs });
  const { assistants } = clientOf(server);
  const namespaces = async (options?: Parameters<typeof assistants.getSubgraphs>[1]) =>
    Object.keys(await assistants.getSubgraphs("branching", options));
  expect(await namespaces()).toEqual(["middle"]);
  expect(await namespaces({ recurse: true })).toEqual(["middle", "middle|inner"]);
  expect(await namespaces({ namespace: "middle" })).toEqual(["middle"]);
  expect(await namespaces({ namespace: "nowhere" })).toEqual([]);
  const found = await assistants.getSubgraphs("branching", { namespace: "middle|inner", recurse: true });
  expect(found).toEqual({
    "middle|inner": expect.objectContaining({
      graph_id: "branching",
      input_schema: {
        $schema: DRAFT_2020,
        type: "object",
        properties: { text: { type: "string" } },
        additionalProperties: false,
      },
    }),
  });
});

test("what is not there cannot be drawn, and what is asked wrongly is refused", async () => {
  await using server = await startServer({ graphs });
  const status = async (path: string) => (await server.get(`/assistants/${path}`)).status;
  expect(await status("nobody/graph")).toBe(404);
  expect(await status("nobody/schemas")).toBe(404);
  expect(await status("nobody/subgraphs")).toBe(404);
  expect(await status("agent/graph?xray=deep")).toBe(422);
  expect(await status("agent/graph?xray=-1")).toBe(422);
  expect(await status("agent/graph?x=1")).toBe(422);
  expect(await status("agent/subgraphs?recurse=2")).toBe(422);
});

test("listing and reading assistants loads no graph", async () => {
  let loaded = 0;
  const loader = () => {
    loaded += 1;
    return shout;
  };
  await using server = await startServer({ graphs: [{ name: "lazy", graph: loader }] });
  const { assistants } = clientOf(server);
  await assistants.search();
  await assistants.get("lazy");
  await assistants.update("lazy", { name: "Lazy" });
  expect(loaded).toBe(0);
  await assistants.getGraph("lazy");
  expect(loaded).toBe(1);
});
