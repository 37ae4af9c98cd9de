import { Annotation, START, StateGraph } from "@langchain/langgraph";

const State = Annotation.Root({ text: Annotation<string>(), gate: Annotation<string>() });

/** Goes on when the URL has answered. */
export const graph = new StateGraph(State)
  .addNode("before", ({ text }) => ({ text: `${text} before` }))
  .addNode("after", async ({ text, gate }) => {
    await fetch(gate);
    return { text: `${text} after` };
  })
  .addEdge(START, "before")
  .addEdge("before", "after")
  .compile();
