/** Graphs whose states are described in each of the ways that LangGraph knows, and graphs in graphs. */

import {
  Annotation,
  MessagesAnnotation,
  MessagesValue,
  MessagesZodState,
  ReducedValue,
  START,
  StateGraph,
  StateSchema,
} from "@langchain/langgraph";
import { createReactAgent } from "@langchain/langgraph/prebuilt";
import { withLangGraph } from "@langchain/langgraph/zod";
import type { BaseMessage } from "@langchain/core/messages";
import { FakeListChatModel } from "@langchain/core/utils/testing";
import type { GraphOptions } from "langgraph-functions";
import { z as zod3 } from "zod/v3";
import { z } from "zod/v4";

const nothing = () => ({});

export const ofZod3: GraphOptions["graph"] = new StateGraph(
  // @ts-expect-error -- LangGraph's types of zod 3 do not fit exactOptionalPropertyTypes
  MessagesZodState.extend({
    text: zod3.string().describe("What is said"),
    times: zod3.number().default(3),
  }),
  zod3.object({ user: zod3.string() }),
)
  .addNode("node", nothing)
  .addEdge(START, "node")
  .compile();

export const ofZod4 = new StateGraph(
  z.object({
    text: z.string().describe("What is said"),
    times: z.number().default(3),
    messages: withLangGraph(z.custom<BaseMessage[]>(), {
      jsonSchemaExtra: { langgraph_type: "messages" },
    }),
    words: withLangGraph(z.array(z.string()), {
      reducer: { fn: (all: string[], word: string) => [...all, word], schema: z.string() },
      default: () => [],
    }),
  }),
  z.object({ user: z.string().optional() }),
)
  .addNode("node", nothing)
  .addEdge(START, "node")
  .compile();

/** Takes less than it keeps, and answers with less. */
export const narrow = new StateGraph({
  state: z.object({ question: z.string(), answer: z.number() }),
  input: z.object({ question: z.string() }),
  output: z.object({ answer: z.number() }),
})
  .addNode("node", () => ({ answer: 1 }))
  .addEdge(START, "node")
  .compile();

export const ofStateSchema = new StateGraph(
  new StateSchema({
    messages: MessagesValue,
    times: z.number(),
    step: z.string().default("first"),
    words: new ReducedValue(
      z.array(z.string()).default(() => []),
      { inputSchema: z.string(), reducer: (all, word) => [...all, word] },
    ),
  }),
)
  .addNode("node", nothing)
  .addEdge(START, "node")
  .compile();

const Counted = Annotation.Root({
  ...MessagesAnnotation.spec,
  text: Annotation<string>,
  count: Annotation<number>({ reducer: (sum, more) => sum + more, default: () => 0 }),
});

export const ofAnnotation = new StateGraph({
  stateSchema: Counted,
  output: Annotation.Root({ count: Annotation<number> }),
})
  .addNode("node", () => ({ count: 1 }))
  .addEdge(START, "node")
  .compile();

export const agent = createReactAgent({ llm: new FakeListChatModel({ responses: ["hi"] }), tools: [] });

const Text = Annotation.Root({ text: Annotation<string> });

const inner = new StateGraph(z.object({ text: z.string() }))
  .addNode("one", nothing)
  .addNode("two", nothing)
  .addEdge(START, "one")
  .addEdge("one", "two")
  .compile();

const middle = new StateGraph(Text)
  .addNode("before", nothing)
  .addNode("inner", inner)
  .addEdge(START, "before")
  .addEdge("before", "inner")
  .compile();

/** Two levels of graphs in it, on one of two ways. */
export const branching = new StateGraph(Text)
  .addNode("choose", nothing)
  .addNode("middle", middle)
  .addEdge(START, "choose")
  .addConditionalEdges("choose", () => "middle", { yes: "middle", no: "__end__" })
  .compile();
