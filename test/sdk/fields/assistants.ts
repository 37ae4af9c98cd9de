/** What each field of the requests about assistants does. */

import { expect } from "vitest";
import { fresh, type Effect, type Effects, type Place } from "./place.ts";

type Assistants = Place["client"]["assistants"];
type Create = Parameters<Assistants["create"]>[0];
type Update = Parameters<Assistants["update"]>[1];

const shows = (given: Omit<Create, "graphId">, expected: object): Effect => {
  return async ({ client }) =>
    expect(await client.assistants.create({ graphId: "steps", ...given })).toMatchObject(expected);
};

const changes = (given: Update, expected: object): Effect => {
  return async ({ client }) => {
    const { assistant_id } = await client.assistants.create({ graphId: "steps" });
    await client.assistants.update(assistant_id, given);
    expect(await client.assistants.get(assistant_id)).toMatchObject({ version: 2, ...expected });
  };
};

const own = {
  config: { configurable: { color: "red" } },
  context: { color: "blue" },
  metadata: { team: "a" },
  name: "Named",
  description: "Described",
};

const creating: Effects = {
  graph_id: shows({}, { graph_id: "steps" }),
  assistant_id: async ({ client }) => {
    const assistantId = fresh();
    const { assistant_id } = await client.assistants.create({ graphId: "steps", assistantId });
    expect(assistant_id).toBe(assistantId);
  },
  if_exists: async ({ client }) => {
    const { assistant_id: assistantId } = await client.assistants.create({ graphId: "steps" });
    const again = { graphId: "steps", assistantId };
    await expect(client.assistants.create(again)).rejects.toThrow("409");
    expect(await client.assistants.create({ ...again, ifExists: "do_nothing" })).toMatchObject({
      assistant_id: assistantId,
    });
  },
  config: shows({ config: own.config }, { config: own.config }),
  context: shows({ context: own.context }, { context: own.context }),
  metadata: shows({ metadata: own.metadata }, { metadata: own.metadata }),
  name: shows({ name: own.name }, { name: own.name }),
  description: shows({ description: own.description }, { description: own.description }),
};

const updating: Effects = {
  graph_id: changes({ graphId: "asker" }, { graph_id: "asker" }),
  config: changes({ config: own.config }, { config: own.config }),
  context: changes({ context: own.context }, { context: own.context }),
  metadata: changes({ metadata: own.metadata }, { metadata: own.metadata }),
  name: changes({ name: own.name }, { name: own.name }),
  description: changes({ description: own.description }, { description: own.description }),
};

/** Two assistants of a group. */
async function group({ client }: Place) {
  const metadata = { group: fresh() };
  const a = await client.assistants.create({ graphId: "steps", name: "Alpha", metadata });
  const b = await client.assistants.create({ graphId: "asker", name: "Beta", metadata });
  return { metadata, a: a.assistant_id, b: b.assistant_id };
}

type Query = NonNullable<Parameters<Assistants["search"]>[0]>;

const found =
  (query: Omit<Query, "includePagination">, names: readonly string[]): Effect =>
  async (place) => {
    const { metadata } = await group(place);
    const sorted = { sortBy: "name", sortOrder: "asc" } as const;
    const assistants = await place.client.assistants.search({ metadata, ...sorted, ...query });
    expect(assistants.map(({ name }) => name)).toEqual(names);
  };

const searching: Effects = {
  metadata: found({}, ["Alpha", "Beta"]),
  graph_id: found({ graphId: "asker" }, ["Beta"]),
  name: found({ name: "alph" }, ["Alpha"]),
  limit: found({ limit: 1 }, ["Alpha"]),
  offset: found({ offset: 1 }, ["Beta"]),
  sort_by: found({ sortBy: "created_at" }, ["Alpha", "Beta"]),
  sort_order: found({ sortOrder: "desc" }, ["Beta", "Alpha"]),
  select: async (place) => {
    const { metadata } = await group(place);
    const assistants = await place.client.assistants.search({ metadata, select: ["graph_id"], limit: 1 });
    expect(assistants).toEqual([{ graph_id: "asker" }]);
  },
};

const counted = (query: NonNullable<Parameters<Assistants["count"]>[0]>, expected: number): Effect => {
  return async (place) => {
    const { metadata } = await group(place);
    expect(await place.client.assistants.count({ metadata, ...query })).toBe(expected);
  };
};

const versions = (query: object, expected: readonly number[]): Effect => {
  return async ({ client }) => {
    const { assistant_id } = await client.assistants.create({ graphId: "steps", metadata: { first: true } });
    await client.assistants.update(assistant_id, { metadata: { second: true } });
    const found = await client.assistants.getVersions(assistant_id, query);
    expect(found.map(({ version }) => version)).toEqual(expected);
  };
};

export const assistantEffects: Readonly<Record<string, Effects>> = {
  "assistants.create": creating,
  "assistants.update": updating,
  "assistants.search": searching,
  "assistants.count": {
    metadata: counted({}, 2),
    graph_id: counted({ graphId: "asker" }, 1),
    name: counted({ name: "alph" }, 1),
  },
  "assistants.getVersions": {
    metadata: versions({ metadata: { second: true } }, [2]),
    limit: versions({ limit: 1 }, [2]),
    offset: versions({ offset: 1 }, [1]),
  },
  "assistants.setLatest": {
    version: async ({ client }) => {
      const { assistant_id } = await client.assistants.create({ graphId: "steps", name: "First" });
      await client.assistants.update(assistant_id, { name: "Second" });
      expect(await client.assistants.setLatest(assistant_id, 1)).toMatchObject({ name: "First" });
    },
  },
  "assistants.getGraph": {
    xray: async ({ client }) => {
      const { nodes } = await client.assistants.getGraph("branching", { xray: true });
      expect(nodes.map(({ id }) => id)).toContain("middle:inner:one");
    },
  },
  "assistants.getSubgraphs": {
    recurse: async ({ client }) =>
      expect(Object.keys(await client.assistants.getSubgraphs("branching", { recurse: true }))).toEqual([
        "middle",
        "middle|inner",
      ]),
  },
  "assistants.delete": {
    delete_threads: async ({ client }) => {
      const { assistant_id } = await client.assistants.create({ graphId: "steps" });
      const { thread_id } = await client.threads.create();
      await client.runs.wait(thread_id, assistant_id, { input: { text: "a" } });
      await client.assistants.delete(assistant_id, { deleteThreads: true });
      await expect(client.threads.get(thread_id)).rejects.toThrow("404");
    },
  },
};
