import { START, StateGraph, StateSchema } from "@langchain/langgraph";
import { z } from "zod";

const State = new StateSchema({ text: z.string() });

export const graph = new StateGraph(State)
  .addNode("shout", ({ text }) => ({ text: text.toUpperCase() }))
  .addEdge(START, "shout")
  .compile();
