/** A graph in a graph, which waits inside. */

import { Annotation, interrupt, START, StateGraph } from "@langchain/langgraph";

const Text = Annotation.Root({ text: Annotation<string> });

const child = new StateGraph(Text)
  .addNode("inner", ({ text }) => ({ text: `${text} ${String(interrupt(`inner ${text}`))}` }))
  .addEdge(START, "inner")
  .compile();

export const nested = new StateGraph(Text).addNode("child", child).addEdge(START, "child").compile();
