/** Small graphs that do one thing each. */

import {
  Annotation,
  entrypoint,
  interrupt,
  type LangGraphRunnableConfig,
  MemorySaver,
  MessagesAnnotation,
  START,
  StateGraph,
  StateSchema,
} from "@langchain/langgraph";
import { AIMessage } from "@langchain/core/messages";
import { z } from "zod";

const Text = Annotation.Root({ text: Annotation<string> });

/** Appends an exclamation mark. */
export const shout = new StateGraph(Text)
  .addNode("shout", ({ text }) => ({ text: `${text}!` }))
  .addEdge(START, "shout")
  .compile();

/** Answers each message with how many there were, so that memory shows. */
export const counter = new StateGraph(MessagesAnnotation)
  .addNode("count", ({ messages }) => ({ messages: [new AIMessage(`message ${messages.length}`)] }))
  .addEdge(START, "count")
  .compile();

/** Fails in its second step, with words that no client must see. */
export const failing = new StateGraph(Text)
  .addNode("first", ({ text }) => ({ text }))
  .addNode("second", () => {
    throw new Error("secret of the graph");
  })
  .addEdge(START, "first")
  .addEdge("first", "second")
  .compile();

/** Waits for a human's word. */
export const asking = new StateGraph(Text)
  .addNode("ask", ({ text }) => ({ text: `${text} ${String(interrupt({ question: text }))}` }))
  .addEdge(START, "ask")
  .compile();

/** Asks for anything, and keeps the answer as it comes. */
export const pausing = new StateGraph(
  Annotation.Root({ value: Annotation<unknown>, text: Annotation<unknown> }),
)
  .addNode("ask", ({ value }) => ({ text: interrupt(value) }))
  .addEdge(START, "ask")
  .compile();

/** A graph whose only step waits until the test opens it. */
export function gated() {
  let open = (): void => undefined;
  let enter = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const entered = new Promise<void>((resolve) => (enter = resolve));
  const graph = new StateGraph(Text)
    .addNode("wait", async ({ text }) => {
      enter();
      await opened;
      return { text: `${text} after all` };
    })
    .addEdge(START, "wait")
    .compile();
  return { graph, open, entered };
}

/** Answers with its state as it came: no input makes it fail. */
export const echo = new StateGraph(Annotation.Root({ value: Annotation<unknown>, text: Annotation<unknown> }))
  .addNode("echo", (state) => state)
  .addEdge(START, "echo")
  .compile();

/** Has a schema of its own for its state. */
export const typed = new StateGraph(new StateSchema({ number: z.number() }))
  .addNode("keep", (state) => state)
  .addEdge(START, "keep")
  .compile();

/** `shout` with a checkpointer of its own. */
export function remembering() {
  const saver = new MemorySaver();
  const graph = new StateGraph(Text)
    .addNode("shout", ({ text }) => ({ text: `${text}!` }))
    .addEdge(START, "shout")
    .compile({ checkpointer: saver });
  return { graph, saver };
}

/** `shout`, compiled so that it keeps no state. */
export const forgetting = new StateGraph(Text)
  .addNode("shout", ({ text }) => ({ text: `${text}!` }))
  .addEdge(START, "shout")
  .compile({ checkpointer: false });

/** Of the functional API: its result is a number. */
export const doubler = entrypoint("doubler", async ({ number }: { number: number }) => number * 2);

/** Writes each of these to the custom stream. */
export function telling(...values: readonly unknown[]) {
  return new StateGraph(Text)
    .addNode("tell", ({ text }, { writer }: LangGraphRunnableConfig) => {
      for (const value of values) writer?.(value);
      return { text };
    })
    .addEdge(START, "tell")
    .compile();
}

/** Writes its text to the custom stream, as often as asked for. */
export const repeating = new StateGraph(
  Annotation.Root({ text: Annotation<string>, times: Annotation<number> }),
)
  .addNode("repeat", ({ text, times }, { writer }: LangGraphRunnableConfig) => {
    for (let time = 1; time <= times; time += 1) writer?.({ text, time });
    return { text };
  })
  .addEdge(START, "repeat")
  .compile();

/** Answers with what its node was told of the run. */
export const reporting = new StateGraph(
  Annotation.Root({ text: Annotation<string>, report: Annotation<object> }),
)
  .addNode("look", (_state, { configurable, context, metadata, tags }: LangGraphRunnableConfig) => ({
    report: {
      configurable: Object.fromEntries(
        Object.entries(configurable ?? {}).filter(([key]) => !key.startsWith("__")),
      ),
      context,
      metadata,
      tags,
    },
  }))
  .addEdge(START, "look")
  .compile();

/** Goes round and round, for ever. */
export const endless = new StateGraph(Text)
  .addNode("again", ({ text }) => ({ text: `${text}.` }))
  .addEdge(START, "again")
  .addEdge("again", "again")
  .compile();

/** A graph whose only step ends when its run is aborted, and not before. */
export function abortable() {
  let enter = (): void => undefined;
  let abort = (): void => undefined;
  const entered = new Promise<void>((resolve) => (enter = resolve));
  const aborted = new Promise<void>((resolve) => (abort = resolve));
  const graph = new StateGraph(Text)
    .addNode("wait", async (_state, { signal }: LangGraphRunnableConfig) => {
      enter();
      await new Promise<void>((resolve) => signal?.addEventListener("abort", () => resolve()));
      abort();
      return {};
    })
    .addEdge(START, "wait")
    .compile();
  return { graph, entered, aborted };
}
