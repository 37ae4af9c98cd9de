/** The graphs that every contender runs: nodes that do next to nothing, so that what is measured is the rest. */

import { Annotation, END, START, StateGraph } from "@langchain/langgraph";

const State = Annotation.Root({
  messages: Annotation<string[]>({ reducer: (all, more) => [...all, ...more], default: () => [] }),
});

type Update = Pick<typeof State.State, "messages">;

const say = (text: string) => (): Update => ({ messages: [text] });

/** What a conversation does: two nodes, each adds a message. */
export const two = new StateGraph(State)
  .addNode("think", say("That is a question about the weather."))
  .addNode("answer", say("It will be fine until the evening, then there may be some rain."))
  .addEdge(START, "think")
  .addEdge("think", "answer")
  .addEdge("answer", END);

export const three = new StateGraph(State)
  .addNode("read", say("read"))
  .addNode("think", say("thought"))
  .addNode("write", say("written"))
  .addEdge(START, "read")
  .addEdge("read", "think")
  .addEdge("think", "write")
  .addEdge("write", END);

export const twoCompiled = two.compile();
export const threeCompiled = three.compile();
