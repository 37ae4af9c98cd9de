import { Annotation, START, StateGraph } from "@langchain/langgraph";
import { Loudness, Shouter } from "@lib/shouter";

const State = Annotation.Root({ text: Annotation<string>() });
const shouter = new Shouter(Loudness.High);

export const graph = new StateGraph(State)
  .addNode("shout", ({ text }) => ({ text: shouter.shout(text) }))
  .addEdge(START, "shout")
  .compile();
