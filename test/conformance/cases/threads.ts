import { type Case, failure } from "../case.ts";

export const threads: readonly Case[] = [
  {
    name: "threads: created, read, changed and deleted",
    run: async ({ client, id }) => {
      const threadId = id("thread");
      await client.threads.create({ threadId, metadata: { team: "a", nested: { x: 1 } } });
      await client.threads.get(threadId);
      await client.threads.update(threadId, { metadata: { nested: { y: 2 }, more: true } });
      await client.threads.delete(threadId);
      return failure(client.threads.get(threadId));
    },
  },
  {
    name: "threads: created twice",
    run: async ({ client, id }) => {
      const threadId = id("thread");
      await client.threads.create({ threadId });
      return [
        await failure(client.threads.create({ threadId })),
        await failure(client.threads.create({ threadId, ifExists: "raise" })),
        await failure(client.threads.create({ threadId, ifExists: "do_nothing" })),
      ];
    },
  },
  {
    name: "threads: created with supersteps",
    run: async ({ client, id }) => {
      const threadId = id("thread");
      await client.threads.create({
        threadId,
        graphId: "steps",
        supersteps: [
          { updates: [{ values: { text: "given" }, asNode: "__start__" }] },
          { updates: [{ values: { text: "given, first", seen: ["first"] }, asNode: "first" }] },
        ],
      });
      return [await client.threads.getState(threadId), await client.threads.getHistory(threadId)];
    },
  },
  {
    name: "threads: found by metadata, ids, status and values",
    run: async ({ client, id }) => {
      const [a, b, c] = [id("a"), id("b"), id("c")];
      const group = id("group");
      await client.threads.create({ threadId: a, metadata: { group, rank: 1 } });
      await client.threads.create({ threadId: b, metadata: { group, rank: 2 } });
      await client.threads.create({ threadId: c, metadata: { group, rank: 2 } });
      await client.runs.wait(c, "steps", { input: { text: "c" } });
      return [
        await client.threads.search({ metadata: { group }, sortBy: "created_at", sortOrder: "asc" }),
        await client.threads.search({ metadata: { group, rank: 2 }, sortBy: "thread_id", sortOrder: "desc" }),
        await client.threads.search({
          metadata: { group },
          sortBy: "created_at",
          sortOrder: "asc",
          limit: 1,
          offset: 1,
        }),
        await client.threads.search({ metadata: { group }, values: { text: "c, first, second" } }),
        await client.threads.search({ ids: [b], select: ["thread_id", "metadata"] }),
        await client.threads.search({ metadata: { group }, status: "busy" }),
        await client.threads.count({ metadata: { group } }),
        await client.threads.count({ metadata: { group, rank: 2 } }),
      ];
    },
  },
  {
    name: "threads: copied with their state",
    run: async ({ client, id }) => {
      const threadId = id("thread");
      await client.threads.create({ threadId, metadata: { team: "a" } });
      await client.runs.wait(threadId, "steps", { input: { text: "a" } });
      const copy = await client.threads.copy(threadId);
      return [
        await client.threads.getState(copy.thread_id),
        await client.threads.getHistory(copy.thread_id),
        await failure(client.threads.copy(id("missing"))),
      ];
    },
  },
  {
    name: "threads: state of one that never ran, and of none",
    run: async ({ client, id }) => {
      const threadId = id("thread");
      await client.threads.create({ threadId });
      return [
        await client.threads.getState(threadId),
        await client.threads.getHistory(threadId),
        await failure(client.threads.getState(id("missing"))),
        await failure(client.threads.getHistory(id("missing"))),
        await failure(client.threads.delete(id("missing"))),
        await failure(client.threads.update(id("missing"), { metadata: {} })),
      ];
    },
  },
  {
    name: "threads: state read, edited and read at a checkpoint",
    run: async ({ client, id }) => {
      const threadId = id("thread");
      await client.threads.create({ threadId });
      await client.runs.wait(threadId, "steps", { input: { text: "a" } });
      const history = await client.threads.getHistory(threadId);
      const middle = history.at(1);
      if (middle === undefined) throw new Error("There is no history");
      await client.threads.updateState(threadId, { values: { text: "edited" }, asNode: "first" });
      return [
        await client.threads.getState(threadId),
        await client.threads.getState(threadId, middle.checkpoint),
        await client.threads.getState(threadId, middle.checkpoint.checkpoint_id ?? ""),
        await client.threads.getHistory(threadId, { limit: 2 }),
        await client.threads.getHistory(threadId, { before: { configurable: middle.checkpoint } }),
        await client.threads.getHistory(threadId, { metadata: { source: "update" } }),
        await client.threads.updateState(threadId, {
          values: { text: "forked" },
          checkpoint: middle.checkpoint,
        }),
        await client.threads.getState(threadId),
      ];
    },
  },
  {
    name: "threads: state of a subgraph that waits",
    run: async ({ client, id }) => {
      const threadId = id("thread");
      await client.threads.create({ threadId });
      await client.runs.wait(threadId, "nested", { input: { text: "a" }, interruptBefore: ["within"] });
      return [
        await client.threads.getState(threadId),
        await client.threads.getState(threadId, undefined, { subgraphs: true }),
      ];
    },
  },
  {
    name: "threads: bad requests",
    run: async ({ send, id }) => {
      await send("POST", "/threads", { thread_id: 5 });
      await send("POST", "/threads", { metadata: "none" });
      await send("POST", "/threads", { if_exists: "perhaps" });
      await send("POST", "/threads/search", { limit: 0 });
      await send("POST", "/threads/search", { status: "asleep" });
      await send("GET", `/threads/${id("missing")}`);
    },
  },
];
