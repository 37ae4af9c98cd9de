import { Annotation, START, StateGraph } from "@langchain/langgraph";

const State = Annotation.Root({ text: Annotation<string>() });

export const builder = new StateGraph(State)
  .addNode("shout", ({ text }) => ({ text: text.toUpperCase() }))
  .addEdge(START, "shout");
