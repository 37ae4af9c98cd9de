import type { Command } from "@langchain/langgraph-sdk";
import { type Case, collect, ended, failure, running } from "../case.ts";

export const runs: readonly Case[] = [
  {
    name: "runs: waited for, with all that is kept of them",
    run: async ({ client, id }) => {
      const threadId = id("thread");
      await client.threads.create({ threadId });
      await client.runs.wait(threadId, "steps", { input: { text: "a" }, metadata: { why: "test" } });
      const [run] = await client.runs.list(threadId);
      if (run === undefined) throw new Error("There is no run");
      await client.runs.get(threadId, run.run_id);
      await client.threads.get(threadId);
      await client.threads.getState(threadId);
      await client.threads.getHistory(threadId);
      await client.runs.join(threadId, run.run_id);
      await client.runs.delete(threadId, run.run_id);
      return [
        await failure(client.runs.get(threadId, run.run_id)),
        await failure(client.runs.get(threadId, id("missing"))),
        await client.runs.list(threadId),
      ];
    },
  },
  {
    name: "runs: in the background, joined",
    run: async (context) => {
      const { client, id } = context;
      const threadId = id("thread");
      await client.threads.create({ threadId });
      const run = await client.runs.create(threadId, "steps", { input: { text: "a" } });
      const values = await client.runs.join(threadId, run.run_id);
      return [values, await client.runs.get(threadId, run.run_id)];
    },
  },
  {
    name: "runs: stateless",
    run: async ({ client }) => [
      await client.runs.wait(null, "steps", { input: { text: "a" } }),
      await collect(client.runs.stream(null, "steps", { input: { text: "b" }, streamMode: "updates" })),
    ],
  },
  {
    name: "runs: a batch",
    run: async ({ client }) =>
      client.runs.createBatch([
        { assistantId: "steps", input: { text: "a" } },
        { assistantId: "steps", input: { text: "b" } },
      ]),
  },
  {
    name: "runs: listed by pages, status and fields",
    run: async ({ client, id }) => {
      const threadId = id("thread");
      await client.threads.create({ threadId });
      for (const text of ["a", "b", "c"]) await client.runs.wait(threadId, "steps", { input: { text } });
      return [
        await client.runs.list(threadId, { limit: 1 }),
        await client.runs.list(threadId, { status: "error" }),
        await client.runs.list(threadId, { select: ["run_id", "status"] }),
      ];
    },
  },
  {
    name: "runs: that fail",
    run: async ({ client, id }) => {
      const threadId = id("thread");
      await client.threads.create({ threadId });
      const values = await failure(client.runs.wait(threadId, "failer", { input: { text: "a" } }));
      const [run] = await client.runs.list(threadId);
      return [
        values,
        run?.status,
        (await client.threads.get(threadId)).status,
        await client.threads.getState(threadId),
        await collect(
          client.runs.stream(threadId, "failer", { input: { text: "a" }, streamMode: "updates" }),
        ),
      ];
    },
  },
  {
    name: "runs: interrupted by their graph, and answered",
    run: async ({ client, id }) => {
      const threadId = id("thread");
      await client.threads.create({ threadId });
      await client.runs.wait(threadId, "asker", { input: { text: "hi" } });
      await client.threads.get(threadId);
      await client.threads.getState(threadId);
      await client.runs.wait(threadId, "asker", { command: { resume: "yes" } });
      await client.threads.getState(threadId);
      await client.runs.wait(threadId, "asker", { command: { resume: "sure" } });
      await client.threads.get(threadId);
      return client.threads.getHistory(threadId);
    },
  },
  {
    name: "runs: stopped before and after nodes",
    run: async ({ client, id }) => {
      const [before, after] = [id("before"), id("after")];
      await client.threads.create({ threadId: before });
      await client.threads.create({ threadId: after });
      return [
        await client.runs.wait(before, "steps", { input: { text: "a" }, interruptBefore: ["second"] }),
        await client.threads.getState(before),
        await client.threads.get(before),
        await client.runs.wait(before, "steps", { input: null }),
        await client.runs.wait(after, "steps", { input: { text: "a" }, interruptAfter: "*" }),
        await client.threads.getState(after),
      ];
    },
  },
  ...commands(),
  {
    name: "runs: cancelled",
    run: async (context) => {
      const { client, id } = context;
      const threadId = id("thread");
      await client.threads.create({ threadId });
      const run = await client.runs.create(threadId, "sleeper", { input: { text: "a" } });
      await running(context, threadId, run.run_id);
      await client.runs.cancel(threadId, run.run_id, true);
      return [
        (await client.runs.get(threadId, run.run_id)).status,
        await failure(client.runs.cancel(threadId, id("missing"))),
      ];
    },
  },
  {
    name: "runs: enqueued, and interrupting each other",
    run: async (context) => {
      const { client, id } = context;
      const threadId = id("thread");
      await client.threads.create({ threadId });
      const first = await client.runs.create(threadId, "sleeper", { input: { text: "a" } });
      await running(context, threadId, first.run_id);
      const rejected = await failure(
        client.runs.create(threadId, "steps", { input: { text: "b" }, multitaskStrategy: "reject" }),
      );
      const waiting = await client.runs.create(threadId, "steps", {
        input: { text: "c" },
        multitaskStrategy: "enqueue",
      });
      const last = await client.runs.create(threadId, "steps", {
        input: { text: "d" },
        multitaskStrategy: "interrupt",
      });
      await ended(context, threadId, last.run_id);
      return [
        rejected,
        (await client.runs.get(threadId, first.run_id)).status,
        (await client.runs.get(threadId, waiting.run_id)).status,
        (await client.runs.get(threadId, last.run_id)).status,
      ];
    },
  },
  {
    name: "runs: on a thread that does not exist",
    run: async ({ client, id }) => [
      await failure(client.runs.wait(id("a"), "steps", { input: { text: "a" } })),
      await failure(client.runs.wait(id("b"), "steps", { input: { text: "a" }, ifNotExists: "create" })),
      (await client.threads.get(id("b"))).status,
    ],
  },
  {
    name: "runs: of an unknown assistant",
    run: async ({ client, id }) => {
      await client.threads.create({ threadId: id("thread") });
      return [
        await failure(client.runs.wait(id("thread"), "nobody", { input: {} })),
        await failure(client.runs.wait(id("thread"), id("nobody"), { input: {} })),
      ];
    },
  },
  {
    name: "runs: config, context and tags reach the graph",
    run: async ({ client, id }) => {
      await client.threads.create({ threadId: id("thread") });
      return [
        await client.runs.wait(id("thread"), "reporter", {
          input: { text: "a" },
          config: { configurable: { color: "red" }, tags: ["x"], recursion_limit: 5 },
        }),
        await client.runs.wait(id("thread"), "reporter", {
          input: { text: "a" },
          context: { color: "blue" },
        }),
      ];
    },
  },
  {
    name: "runs: from a checkpoint",
    run: async ({ client, id }) => {
      const threadId = id("thread");
      await client.threads.create({ threadId });
      await client.runs.wait(threadId, "steps", { input: { text: "a" } });
      const [, middle] = await client.threads.getHistory(threadId);
      if (middle === undefined) throw new Error("There is no history");
      return [
        await client.runs.wait(threadId, "steps", { input: null, checkpoint: middle.checkpoint }),
        await client.threads.getHistory(threadId, { limit: 20 }),
      ];
    },
  },
  {
    name: "runs: with an input that the graph refuses",
    run: async ({ client, id }) => {
      await client.threads.create({ threadId: id("thread") });
      return failure(client.runs.wait(id("thread"), "typed", { input: { number: "many" } }));
    },
  },
  {
    name: "runs: bad requests",
    run: async ({ send, id }) => {
      await send("POST", "/threads", { thread_id: id("thread") });
      await send("POST", `/threads/${id("thread")}/runs`, {});
      await send("POST", `/threads/${id("thread")}/runs`, { assistant_id: 5 });
      await send("POST", `/threads/${id("thread")}/runs`, { assistant_id: "steps", stream_mode: "loud" });
      await send("POST", "/runs/batch", []);
    },
  },
];

function commands(): readonly Case[] {
  const given: readonly (readonly [string, Command])[] = [
    ["an update", { update: { text: "updated", seen: ["update"] } }],
    ["a destination", { goto: "second" }],
    ["a destination with an input of its own", { goto: { node: "second", input: { text: "sent" } } }],
    ["an update and a destination", { update: { text: "updated" }, goto: ["second"] }],
  ];
  return given.map(([name, command]) => ({
    name: `runs: a command with ${name}`,
    run: async ({ client, id }) => {
      const threadId = id("thread");
      await client.threads.create({ threadId });
      await client.runs.wait(threadId, "steps", { input: { text: "a" } });
      return [
        await failure(client.runs.wait(threadId, "steps", { command })),
        await client.threads.getState(threadId),
      ];
    },
  }));
}
