import { type Case, failure } from "../case.ts";

const GRAPHS = ["steps", "talker", "agent", "nested", "typed", "router", "spreader"];

export const assistants: readonly Case[] = [
  {
    name: "assistants: a graph's own",
    run: async ({ client }) => {
      const found = await client.assistants.search({ graphId: "steps" });
      return [found, await client.assistants.get(found[0]?.assistant_id ?? "")];
    },
  },
  {
    name: "assistants: created, read, changed and deleted",
    run: async ({ client, id }) => {
      const assistantId = id("assistant");
      await client.assistants.create({
        assistantId,
        graphId: "reporter",
        name: "Reporter",
        description: "Says what it was told",
        metadata: { team: "a" },
        config: { configurable: { color: "red" } },
      });
      await client.assistants.get(assistantId);
      await client.assistants.update(assistantId, { metadata: { more: 1 }, name: "Renamed" });
      await client.assistants.update(assistantId, {
        graphId: "reporter",
        config: { configurable: { color: "blue" } },
      });
      await client.assistants.getVersions(assistantId);
      await client.runs.wait(null, assistantId, { input: { text: "a" } });
      await client.assistants.setLatest(assistantId, 1);
      await client.assistants.get(assistantId);
      await client.runs.wait(null, assistantId, { input: { text: "a" } });
      await client.assistants.delete(assistantId);
      return failure(client.assistants.get(assistantId));
    },
  },
  {
    name: "assistants: created twice, and of an unknown graph",
    run: async ({ client, id }) => {
      const assistantId = id("assistant");
      await client.assistants.create({ assistantId, graphId: "steps" });
      return [
        await failure(client.assistants.create({ assistantId, graphId: "steps" })),
        await failure(client.assistants.create({ assistantId, graphId: "steps", ifExists: "do_nothing" })),
        await failure(client.assistants.create({ assistantId: id("other"), graphId: "nobody" })),
      ];
    },
  },
  {
    name: "assistants: found by graph, name and metadata",
    run: async ({ client, id }) => {
      const group = id("group");
      for (const name of ["Alpha", "Beta", "alphabet"])
        await client.assistants.create({
          assistantId: id(name),
          graphId: "steps",
          name,
          metadata: { group },
        });
      return [
        await client.assistants.search({ metadata: { group }, sortBy: "name", sortOrder: "asc" }),
        await client.assistants.search({
          metadata: { group },
          sortBy: "created_at",
          sortOrder: "desc",
          limit: 1,
        }),
        await client.assistants.search({
          metadata: { group },
          name: "alpha",
          sortBy: "created_at",
          sortOrder: "asc",
        }),
        await client.assistants.search({ metadata: { group }, select: ["assistant_id", "name"] }),
        await client.assistants.count({ metadata: { group } }),
        await client.assistants.count({ metadata: { group }, graphId: "talker" }),
      ];
    },
  },
  ...GRAPHS.map((graph): Case => ({
    name: `assistants: drawing, schemas and subgraphs of ${graph}`,
    run: async ({ client }) => [
      await client.assistants.getGraph(graph),
      await client.assistants.getGraph(graph, { xray: true }),
      await client.assistants.getSchemas(graph),
      await client.assistants.getSubgraphs(graph),
      await client.assistants.getSubgraphs(graph, { recurse: true }),
    ],
  })),
  {
    name: "assistants: that are missing",
    run: async ({ client, id }) => [
      await failure(client.assistants.get(id("missing"))),
      await failure(client.assistants.getGraph(id("missing"))),
      await failure(client.assistants.getSchemas(id("missing"))),
      await failure(client.assistants.update(id("missing"), { name: "x" })),
      await failure(client.assistants.delete(id("missing"))),
      await failure(client.assistants.getVersions(id("missing"))),
    ],
  },
];
