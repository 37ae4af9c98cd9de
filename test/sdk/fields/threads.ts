/** What each field of the requests about threads does. */

import { expect } from "vitest";
import { fresh, middleOf, stepped, type Effect, type Effects, type Place } from "./place.ts";

const ids = (threads: readonly { readonly thread_id: string }[]) => threads.map(({ thread_id }) => thread_id);

const creating: Effects = {
  thread_id: async ({ client }) => {
    const threadId = fresh();
    expect((await client.threads.create({ threadId })).thread_id).toBe(threadId);
  },
  metadata: async ({ client }) =>
    expect((await client.threads.create({ metadata: { a: 1 } })).metadata).toMatchObject({ a: 1 }),
  graph_id: async ({ client }) =>
    expect((await client.threads.create({ graphId: "steps" })).metadata).toMatchObject({ graph_id: "steps" }),
  if_exists: async ({ client }) => {
    const { thread_id: threadId } = await client.threads.create();
    await expect(client.threads.create({ threadId })).rejects.toThrow("409");
    expect((await client.threads.create({ threadId, ifExists: "do_nothing" })).thread_id).toBe(threadId);
  },
  ...Object.fromEntries(
    ["supersteps", "updates", "values", "as_node"].map((field) => [
      field,
      async ({ client }: Place) => {
        const updates = [{ values: { text: "given", seen: ["first"] }, asNode: "first" }];
        const { thread_id } = await client.threads.create({ graphId: "steps", supersteps: [{ updates }] });
        const { next, values } = await client.threads.getState(thread_id);
        expect({ next, values }).toEqual({ next: ["second"], values: { text: "given", seen: ["first"] } });
      },
    ]),
  ),
  command: async ({ client }) => {
    const updates = [{ values: null, command: { update: { text: "told" } }, asNode: "first" }];
    const { thread_id } = await client.threads.create({ graphId: "steps", supersteps: [{ updates }] });
    expect((await client.threads.getState(thread_id)).values).toMatchObject({ text: "told" });
  },
  ttl: async (place) => livesFor(place, (await place.client.threads.create({ ttl: 5 })).thread_id),
  strategy: async (place) => livesFor(place, (await place.client.threads.create({ ttl: 5 })).thread_id),
};

/** The SDK sends the strategy along with the minutes. */
async function livesFor({ client }: Place, threadId: string): Promise<void> {
  expect(await client.threads.get(threadId, { include: ["ttl"] })).toMatchObject({
    ttl: { ttl_minutes: 5, strategy: "delete" },
  });
}

const setsTtl: Effect = async (place) => {
  const { thread_id } = await place.client.threads.create();
  await place.client.threads.update(thread_id, { ttl: 5 });
  await livesFor(place, thread_id);
};

const updating: Effects = {
  metadata: async ({ client }) => {
    const { thread_id } = await client.threads.create({ metadata: { a: 1 } });
    expect((await client.threads.update(thread_id, { metadata: { b: 2 } })).metadata).toEqual({ a: 1, b: 2 });
  },
  ttl: setsTtl,
  strategy: setsTtl,
  Prefer: async ({ client }) => {
    const { thread_id } = await client.threads.create();
    expect(await client.threads.update(thread_id, { returnMinimal: true })).toBeUndefined();
  },
};

/** Two threads of a group, the second of which has run. */
async function group(place: Place) {
  const { client } = place;
  const metadata = { group: fresh() };
  const { thread_id: idle } = await client.threads.create({ metadata });
  const { thread_id: waiting } = await client.threads.create({ metadata });
  await client.runs.wait(waiting, "asker", { input: { text: metadata.group } });
  return { metadata, idle, waiting, values: { text: metadata.group } };
}

type Group = Awaited<ReturnType<typeof group>>;
type Query = NonNullable<Parameters<Place["client"]["threads"]["search"]>[0]>;

const found =
  (query: (group: Group) => Query, expected: (group: Group) => readonly string[]): Effect =>
  async (place) => {
    const those = await group(place);
    const sorted = { sortBy: "created_at", sortOrder: "asc" } as const;
    const threads = await place.client.threads.search({
      metadata: those.metadata,
      ...sorted,
      ...query(those),
    });
    expect(ids(threads)).toEqual(expected(those));
  };

const searching: Effects = {
  metadata: found(
    () => ({}),
    ({ idle, waiting }) => [idle, waiting],
  ),
  ids: found(
    ({ idle }) => ({ ids: [idle] }),
    ({ idle }) => [idle],
  ),
  limit: found(
    () => ({ limit: 1 }),
    ({ idle }) => [idle],
  ),
  offset: found(
    () => ({ offset: 1 }),
    ({ waiting }) => [waiting],
  ),
  status: found(
    () => ({ status: "interrupted" }),
    ({ waiting }) => [waiting],
  ),
  values: found(
    ({ values }) => ({ values }),
    ({ waiting }) => [waiting],
  ),
  sort_by: found(
    () => ({ sortBy: "thread_id" }),
    ({ idle, waiting }) => [idle, waiting].toSorted(),
  ),
  sort_order: found(
    () => ({ sortOrder: "desc" }),
    ({ idle, waiting }) => [waiting, idle],
  ),
  select: async (place) => {
    const { metadata, idle } = await group(place);
    expect(await place.client.threads.search({ metadata, ids: [idle], select: ["status"] })).toEqual([
      { status: "idle" },
    ]);
  },
  extract: async (place) => {
    const { metadata, values, waiting } = await group(place);
    const threads = await place.client.threads.search({
      metadata,
      ids: [waiting],
      extract: { t: "values.text" },
    });
    expect(threads).toMatchObject([{ extracted: { t: values.text } }]);
  },
};

const counted =
  (query: (group: Group) => Query, expected: number): Effect =>
  async (place) => {
    const those = await group(place);
    expect(await place.client.threads.count({ metadata: those.metadata, ...query(those) })).toBe(expected);
  };

const counting: Effects = {
  metadata: counted(() => ({}), 2),
  values: counted(({ values }) => ({ values }), 1),
  status: counted(() => ({ status: "interrupted" }), 1),
};

const pruning: Effects = {
  thread_ids: async (place) => {
    const [one, other] = [await stepped(place), await stepped(place)];
    await place.client.threads.prune([one]);
    await expect(place.client.threads.get(one)).rejects.toThrow("404");
    expect((await place.client.threads.get(other)).thread_id).toBe(other);
  },
  strategy: async (place) => {
    const threadId = await stepped(place);
    await place.client.threads.prune([threadId], { strategy: "keep_latest" });
    expect(await place.client.threads.getHistory(threadId)).toHaveLength(1);
  },
};

const reading: Effects = {
  checkpoint: async (place) => {
    const threadId = await stepped(place);
    const { checkpoint } = await middleOf(place, threadId);
    for (const at of [checkpoint, checkpoint.checkpoint_id ?? ""])
      expect((await place.client.threads.getState(threadId, at)).next).toEqual(["second"]);
  },
  subgraphs: async ({ client }) => {
    const { thread_id } = await client.threads.create();
    await client.runs.wait(thread_id, "inside", { input: { text: "a" } });
    const { tasks } = await client.threads.getState(thread_id, undefined, { subgraphs: true });
    expect(tasks[0]?.state).toMatchObject({ next: ["inner"] });
  },
};

const forks = (field: "checkpoint" | "checkpointId"): Effect => {
  return async (place) => {
    const threadId = await stepped(place);
    const { checkpoint } = await middleOf(place, threadId);
    const at = { checkpoint, checkpointId: checkpoint.checkpoint_id ?? "" };
    await place.client.threads.updateState(threadId, { values: { text: "fork" }, [field]: at[field] });
    const state = await place.client.threads.getState(threadId);
    expect(state.parent_checkpoint?.checkpoint_id).toBe(checkpoint.checkpoint_id);
  };
};

const editing: Effects = {
  ...Object.fromEntries(
    ["values", "as_node"].map((field) => [
      field,
      async (place: Place) => {
        const threadId = await stepped(place);
        await place.client.threads.updateState(threadId, { values: { text: "edited" }, asNode: "first" });
        const { values, next } = await place.client.threads.getState(threadId);
        expect({ values, next }).toMatchObject({ values: { text: "edited" }, next: ["second"] });
      },
    ]),
  ),
  checkpoint: forks("checkpoint"),
  checkpoint_id: forks("checkpointId"),
};

const history: Effects = {
  limit: async (place) =>
    expect(await place.client.threads.getHistory(await stepped(place), { limit: 2 })).toHaveLength(2),
  before: async (place) => {
    const threadId = await stepped(place);
    const { checkpoint } = await middleOf(place, threadId);
    const before = await place.client.threads.getHistory(threadId, { before: { configurable: checkpoint } });
    expect(before.map(({ next }) => next)).toEqual([["first"], ["__start__"]]);
  },
  metadata: async (place) => {
    const metadata = { source: "input" };
    expect(await place.client.threads.getHistory(await stepped(place), { metadata })).toHaveLength(1);
  },
  checkpoint: async (place) => {
    const threadId = await stepped(place);
    const { checkpoint } = await middleOf(place, threadId);
    const [first] = await place.client.threads.getHistory(threadId, {
      checkpoint: { checkpoint_ns: "", checkpoint_id: checkpoint.checkpoint_id ?? "" },
    });
    expect(first?.next).toEqual(["second"]);
  },
};

export const threadEffects: Readonly<Record<string, Effects>> = {
  "threads.get": {
    include: async ({ client }) => {
      const { thread_id } = await client.threads.create();
      expect(await client.threads.get(thread_id, { include: ["ttl"] })).toMatchObject({ ttl: null });
    },
  },
  "threads.create": creating,
  "threads.update": updating,
  "threads.search": searching,
  "threads.count": counting,
  "threads.prune": pruning,
  "threads.getState": reading,
  "threads.updateState": editing,
  "threads.patchState": {
    metadata: async ({ client }) => {
      const { thread_id } = await client.threads.create();
      await client.threads.patchState(thread_id, { a: 1 });
      expect((await client.threads.get(thread_id)).metadata).toMatchObject({ a: 1 });
    },
  },
  "threads.getHistory": history,
};
