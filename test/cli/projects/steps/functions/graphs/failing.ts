import { Annotation, START, StateGraph } from "@langchain/langgraph";

const State = Annotation.Root({ text: Annotation<string>() });

class SpilledMilk extends Error {
  override readonly name = this.constructor.name;
}

export const graph = new StateGraph(State)
  .addNode("before", ({ text }) => ({ text: `${text} before` }))
  .addNode("after", () => {
    throw new SpilledMilk("spilled");
  })
  .addEdge(START, "before")
  .addEdge("before", "after")
  .compile();
