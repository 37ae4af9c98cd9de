/** Small graphs that do one thing each. */

import { Annotation, interrupt, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { AIMessage } from "@langchain/core/messages";

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
