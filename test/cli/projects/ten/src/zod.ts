import { START, StateGraph } from "@langchain/langgraph";
import { z } from "zod";

const State = z.object({ text: z.string() });

export const graph = new StateGraph(State)
  .addNode("shout", ({ text }) => ({ text: text.toUpperCase() }))
  .addEdge(START, "shout")
  .compile();
