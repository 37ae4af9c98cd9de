import { Annotation, MemorySaver, START, StateGraph } from "@langchain/langgraph";

const State = Annotation.Root({ text: Annotation<string>() });

// A checkpointer of its own, which gives way to the server's.
export const graph = new StateGraph(State)
  .addNode("shout", ({ text }) => ({
    text: `${text.toUpperCase()} ${process.env["GREETING"]} ${process.env["OVERRIDDEN"]}`,
  }))
  .addEdge(START, "shout")
  .compile({ checkpointer: new MemorySaver() });
