import { HumanMessage } from "@langchain/core/messages";
import { RemoteGraph } from "@langchain/langgraph/remote";
import { type Case, collect } from "../case.ts";

export const remoteGraphs: readonly Case[] = [
  {
    name: "RemoteGraph: invoked, streamed, drawn",
    run: async ({ client, id }) => {
      const graph = new RemoteGraph({ graphId: "steps", client });
      const config = { configurable: { thread_id: id("thread") } };
      await client.threads.create({ threadId: id("thread") });
      return [
        await graph.invoke({ text: "a" }),
        await graph.invoke({ text: "a" }, config),
        await collect(await graph.stream({ text: "b" }, { ...config, streamMode: ["updates", "values"] })),
        await graph.getState(config),
        await collect(graph.getStateHistory(config)),
        await graph.updateState(config, { text: "edited" }, "first"),
        (await graph.getGraphAsync()).toJSON(),
      ];
    },
  },
  {
    name: "RemoteGraph: messages and subgraphs",
    run: async ({ client }) => {
      const talker = new RemoteGraph({ graphId: "talker", client });
      const nested = new RemoteGraph({ graphId: "nested", client });
      const input = { messages: [new HumanMessage({ id: "question", content: "hello" })] };
      return [
        await talker.invoke(input),
        await collect(await nested.stream({ text: "a" }, { streamMode: "updates", subgraphs: true })),
      ];
    },
  },
];
