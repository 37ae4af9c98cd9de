import type { StreamMode } from "@langchain/langgraph-sdk";
import { type Case, collect } from "../case.ts";

const MODES: readonly StreamMode[] = [
  "values",
  "updates",
  "messages",
  "messages-tuple",
  "custom",
  "debug",
  "tasks",
  "checkpoints",
];
const GRAPHS = ["steps", "talker", "agent", "asker", "failer", "nested", "teller", "spreader", "router"];

function inputOf(graph: string): Record<string, unknown> {
  return graph === "talker" || graph === "agent"
    ? { messages: [{ role: "user", content: "hello", id: "question" }] }
    : { text: "a" };
}

export const streams: readonly Case[] = [
  ...GRAPHS.flatMap((graph) =>
    MODES.map((mode): Case => ({
      name: `streams: ${graph}, ${mode}`,
      run: async ({ client, id }) => {
        await client.threads.create({ threadId: id("thread") });
        const stream = client.runs.stream(id("thread"), graph, { input: inputOf(graph), streamMode: mode });
        return collect(stream);
      },
    })),
  ),
  {
    name: "streams: events",
    run: async ({ client, id }) => {
      await client.threads.create({ threadId: id("thread") });
      const stream = client.runs.stream(id("thread"), "steps", {
        input: { text: "a" },
        streamMode: "events",
      });
      return collect(stream);
    },
  },
  {
    name: "streams: several modes, with subgraphs",
    run: async ({ client, id }) => {
      await client.threads.create({ threadId: id("thread") });
      const streamMode: StreamMode[] = ["values", "updates", "custom", "tasks"];
      return collect(
        client.runs.stream(id("thread"), "nested", {
          input: { text: "a" },
          streamMode,
          streamSubgraphs: true,
        }),
      );
    },
  },
  {
    name: "streams: an interrupt and its answer",
    run: async ({ client, id }) => {
      await client.threads.create({ threadId: id("thread") });
      return [
        await collect(
          client.runs.stream(id("thread"), "asker", {
            input: { text: "a" },
            streamMode: ["values", "updates"],
          }),
        ),
        await collect(
          client.runs.stream(id("thread"), "asker", {
            command: { resume: "yes" },
            streamMode: ["values", "updates"],
          }),
        ),
      ];
    },
  },
  {
    name: "streams: joined after their end",
    run: async ({ client, id }) => {
      await client.threads.create({ threadId: id("thread") });
      const run = await client.runs.create(id("thread"), "steps", {
        input: { text: "a" },
        streamResumable: true,
        streamMode: ["updates"],
      });
      await client.runs.join(id("thread"), run.run_id);
      return collect(client.runs.joinStream(id("thread"), run.run_id, { lastEventId: "-1" }));
    },
  },
];
