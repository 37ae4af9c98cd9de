/** A tool-calling assistant: the model answers or asks for tools, the tools answer the model, until nothing is left to ask. */
import { SystemMessage } from "@langchain/core/messages";
import { END, type GraphNode, MessagesValue, START, StateGraph, StateSchema } from "@langchain/langgraph";
import { ToolNode, toolsCondition } from "@langchain/langgraph/prebuilt";
import { chatModel } from "./chat/model.ts";
import { tools } from "./chat/tools.ts";

const State = new StateSchema({ messages: MessagesValue });

const instructions = new SystemMessage(
  "You are a helpful assistant. Answer briefly. Use the calculator for arithmetic and the clock for the time.",
);

const assistant: GraphNode<typeof State> = async ({ messages }) => {
  const model = await chatModel(tools);
  return { messages: [await model.invoke([instructions, ...messages])] };
};

export const graph = new StateGraph(State)
  .addNode("assistant", assistant)
  .addNode("tools", new ToolNode(tools)) // a tool that throws answers with its error, and the model can try again
  .addEdge(START, "assistant")
  .addConditionalEdges("assistant", toolsCondition, ["tools", END])
  .addEdge("tools", "assistant")
  .compile();
