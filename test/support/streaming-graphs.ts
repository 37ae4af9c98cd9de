/** Graphs whose streams have something to show: tokens, and subgraphs. */

import { Annotation, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { FakeListChatModel } from "@langchain/core/utils/testing";

/** Answers letter by letter. */
export function talking(answer: string) {
  const model = new FakeListChatModel({ responses: [answer] });
  return new StateGraph(MessagesAnnotation)
    .addNode("speak", async ({ messages }) => ({ messages: [await model.invoke(messages)] }))
    .addEdge(START, "speak")
    .compile();
}

const Text = Annotation.Root({ text: Annotation<string> });

const inner = new StateGraph(Text)
  .addNode("within", ({ text }) => ({ text: `${text}, within` }))
  .addEdge(START, "within")
  .compile();

/** A graph in a graph, and a node after it. */
export const nested = new StateGraph(Text)
  .addNode("sub", inner)
  .addNode("last", ({ text }) => ({ text: `${text}, last` }))
  .addEdge(START, "sub")
  .addEdge("sub", "last")
  .compile();
