import { Annotation, START, StateGraph } from "@langchain/langgraph";

export const graph = new StateGraph(Annotation.Root({ text: Annotation() }))
  .addNode("shout", ({ text }) => ({ text: text.toUpperCase() }))
  .addEdge(START, "shout")
  .compile();
