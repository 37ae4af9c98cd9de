/** Graphs that both servers serve; this file is bundled for the official one. */

import { AIMessage, AIMessageChunk, ToolMessage } from "@langchain/core/messages";
import { FakeListChatModel } from "@langchain/core/utils/testing";
import {
  Annotation,
  Command,
  END,
  interrupt,
  type LangGraphRunnableConfig,
  MessagesAnnotation,
  MessagesZodMeta,
  Send,
  START,
  StateGraph,
} from "@langchain/langgraph";
import { registry } from "@langchain/langgraph/zod";
import { z } from "zod";

const Text = Annotation.Root({
  text: Annotation<string>,
  seen: Annotation<string[]>({ reducer: (a, b) => [...a, ...b], default: () => [] }),
});

/** Two steps, one after the other. */
export const steps = new StateGraph(Text)
  .addNode("first", ({ text }) => ({ text: `${text}, first`, seen: ["first"] }))
  .addNode("second", ({ text }) => ({ text: `${text}, second`, seen: ["second"] }))
  .addEdge(START, "first")
  .addEdge("first", "second")
  .addEdge("second", END)
  .compile();

/** Answers token by token, without asking a model anywhere. */
export const talker = new StateGraph(MessagesAnnotation)
  .addNode("speak", async ({ messages }) => {
    const model = new FakeListChatModel({ responses: ["Hello there"] });
    return { messages: [await model.invoke(messages)] };
  })
  .addEdge(START, "speak")
  .compile();

/** Asks for a tool, has its answer, and speaks. */
export const agent = new StateGraph(MessagesAnnotation)
  .addNode("model", ({ messages }) => ({
    messages:
      messages.at(-1)?.getType() === "tool"
        ? [new AIMessage({ id: "answer", content: "It is sunny" })]
        : [
            new AIMessageChunk({
              id: "call",
              content: "",
              tool_calls: [{ id: "call-1", name: "weather", args: { city: "Bern" } }],
            }),
          ],
  }))
  .addNode("tools", () => ({
    messages: [new ToolMessage({ id: "result", tool_call_id: "call-1", name: "weather", content: "sunny" })],
  }))
  .addEdge(START, "model")
  .addConditionalEdges(
    "model",
    ({ messages }) => {
      const last = messages.at(-1);
      return last instanceof AIMessageChunk && (last.tool_calls?.length ?? 0) > 0 ? "tools" : END;
    },
    ["tools", END],
  )
  .addEdge("tools", "model")
  .compile();

/** Waits for a human, twice. */
export const asker = new StateGraph(Text)
  .addNode("ask", ({ text }) => ({ text: `${text} ${String(interrupt({ question: text }))}`, seen: ["ask"] }))
  .addNode("again", ({ text }) => ({ text: `${text} ${String(interrupt("sure?"))}`, seen: ["again"] }))
  .addEdge(START, "ask")
  .addEdge("ask", "again")
  .compile();

/** Fails in its second step. */
export const failer = new StateGraph(Text)
  .addNode("first", () => ({ seen: ["first"] }))
  .addNode("second", () => {
    throw new Error("out of luck");
  })
  .addEdge(START, "first")
  .addEdge("first", "second")
  .compile();

const inner = new StateGraph(Text)
  .addNode("within", ({ text }) => ({ text: `${text}, within`, seen: ["within"] }))
  .addEdge(START, "within")
  .compile();

/** A graph in a graph. */
export const nested = new StateGraph(Text)
  .addNode("sub", inner)
  .addNode("last", ({ text }) => ({ text: `${text}, last`, seen: ["last"] }))
  .addEdge(START, "sub")
  .addEdge("sub", "last")
  .compile();

/** Writes to the custom stream. */
export const teller = new StateGraph(Text)
  .addNode("tell", (_state, { writer }: LangGraphRunnableConfig) => {
    writer?.({ progress: 0.5 });
    writer?.("done");
    return { seen: ["tell"] };
  })
  .addEdge(START, "tell")
  .compile();

/** Stays in its node until its run is stopped. */
export const sleeper = new StateGraph(Text)
  .addNode("sleep", async (_state, { signal }: LangGraphRunnableConfig) => {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 60_000);
      signal?.addEventListener("abort", () => {
        clearTimeout(timer);
        resolve();
      });
    });
    return { seen: ["slept"] };
  })
  .addEdge(START, "sleep")
  .compile();

/** Its state is a zod object, its config too. */
export const typed = new StateGraph(
  z.object({
    messages: z.custom<AIMessage[]>().register(registry, MessagesZodMeta),
    number: z.number().default(1),
    note: z.string().optional(),
  }),
  z.object({ model: z.enum(["small", "large"]).default("small") }),
)
  .addNode("add", ({ number }) => ({ number: number + 1 }))
  .addEdge(START, "add")
  .compile();

/** Says what its config and context were. */
export const reporter = new StateGraph(
  Annotation.Root({ text: Annotation<string>, report: Annotation<object> }),
)
  .addNode("look", (_state, { configurable, context, tags }: LangGraphRunnableConfig) => ({
    report: { color: configurable?.["color"] ?? null, context: context ?? null, tags: tags ?? null },
  }))
  .addEdge(START, "look")
  .compile();

/** Fans out to several tasks of one node. */
export const spreader = new StateGraph(Text)
  .addNode("each", ({ text }) => ({ seen: [text] }))
  .addConditionalEdges(START, () => ["a", "b", "c"].map((text) => new Send("each", { text })))
  .compile();

/** Goes where its input says. */
export const router = new StateGraph(Text)
  .addNode(
    "decide",
    ({ text }) => new Command({ goto: text === "left" ? "left" : "right", update: { seen: ["decide"] } }),
    {
      ends: ["left", "right"],
    },
  )
  .addNode("left", () => ({ seen: ["left"] }))
  .addNode("right", () => ({ seen: ["right"] }))
  .addEdge(START, "decide")
  .compile();
