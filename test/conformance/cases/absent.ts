/** What clients ask for and the in-memory server does not have: that it has not, and that we have. */

import { failure, type Case, type CaseContext } from "../case.ts";

async function thread({ client, id }: CaseContext): Promise<string> {
  const threadId = id("thread");
  await client.threads.create({ threadId });
  return threadId;
}

export const absent: readonly Case[] = [
  {
    name: "absent: prune",
    run: async (context) => failure(context.client.threads.prune([await thread(context)])),
  },
  {
    name: "absent: patchState",
    run: async (context) =>
      failure(context.client.threads.patchState(await thread(context), { color: "red" })),
  },
  {
    name: "absent: storage",
    run: async (context) => void (await context.send("GET", `/threads/${await thread(context)}/storage`)),
  },
  {
    name: "absent: cancelMany",
    run: async (context) => {
      const threadId = await thread(context);
      return failure(context.client.runs.cancelMany({ threadId, runIds: [context.id("run")] }));
    },
  },
  {
    name: "absent: joinStream",
    run: async (context) => {
      const threadId = await thread(context);
      await context.client.runs.wait(threadId, "steps", { input: { text: "a" } });
      const leaving = new AbortController();
      const first = async (): Promise<unknown> => {
        const { signal } = leaving;
        for await (const { event } of context.client.threads.joinStream(threadId, {
          lastEventId: "-",
          signal,
        }))
          return event;
        return undefined;
      };
      return failure(first().finally(() => leaving.abort()));
    },
  },
  {
    name: "absent: crons",
    run: async ({ client }) => {
      const schedule = "0 0 1 1 *";
      return failure(client.crons.create("steps", { schedule, input: { text: "a" } }));
    },
  },
];
