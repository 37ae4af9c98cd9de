import { FakeListChatModel } from "@langchain/core/utils/testing";
import { createReactAgent } from "@langchain/langgraph/prebuilt";

class Model extends FakeListChatModel {
  bindTools() {
    return this;
  }
}

// As createAgent of "langchain" returns it: a wrapper around the graph.
export const agent = { graph: createReactAgent({ llm: new Model({ responses: ["Hello."] }), tools: [] }) };
