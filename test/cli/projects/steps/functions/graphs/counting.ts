import { setTimeout as delay } from "node:timers/promises";
import { Annotation, START, StateGraph } from "@langchain/langgraph";

const STEPS = 12;
const STEP_MS = 500;

export const graph = new StateGraph(Annotation.Root({ count: Annotation<number> }))
  .addNode("step", async ({ count }) => {
    await delay(STEP_MS);
    return { count: count + 1 };
  })
  .addEdge(START, "step")
  .addConditionalEdges("step", ({ count }) => (count < STEPS ? "step" : "__end__"))
  .compile();
