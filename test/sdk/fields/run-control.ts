/** What each field of the requests about runs that there are does. */

import { expect, vi } from "vitest";
import { allParts, eventNames } from "../../support/sdk.ts";
import { startServer } from "../../support/server.ts";
import { GRAPHS, placeOf, stepped, type Effect, type Effects, type Place } from "./place.ts";

const input = { text: "a" };

/** A client that goes away, at the end of the scope at the latest. */
export function leave(): Disposable & { readonly signal: AbortSignal; readonly now: () => void } {
  const controller = new AbortController();
  const now = (): void => controller.abort();
  return { signal: controller.signal, now, [Symbol.dispose]: now };
}

export async function untilRun({ client }: Place, threadId: string, status: string): Promise<void> {
  await vi.waitFor(
    async () => {
      const runs = await client.runs.list(threadId);
      expect(runs.map((run): string => run.status)).toContain(status);
    },
    { timeout: 20_000, interval: 50 },
  );
}

/** Of those who join a run: as the SDK asks, but gone as soon as the server has answered. */
function joinAndLeave(door: "join" | "stream"): Effect {
  return async (place) => {
    const { thread_id } = await place.client.threads.create();
    const { run_id } = await place.client.runs.create(thread_id, "sleeper", { input });
    await untilRun(place, thread_id, "running");
    using leaving = leave();
    const url = `${place.server.url}/threads/${thread_id}/runs/${run_id}/${door}?cancel_on_disconnect=1`;
    await fetch(url, { signal: leaving.signal });
    leaving.now();
    await untilRun(place, thread_id, "interrupted");
  };
}

const joining: Effects = {
  cancel_on_disconnect: joinAndLeave("stream"),
  stream_mode: async (place) => {
    const { run_id } = await place.client.runs.create(null, "steps", {
      input,
      streamMode: ["updates", "values"],
    });
    const parts = await allParts(place.client.runs.joinStream(null, run_id, { streamMode: "updates" }));
    expect(eventNames(parts)).toEqual(["metadata", "updates", "updates"]);
  },
  "Last-Event-ID": async (place) => {
    const { run_id } = await place.client.runs.create(null, "steps", { input });
    const parts = await allParts(place.client.runs.joinStream(null, run_id));
    const lastEventId = parts.at(-2)?.id ?? "";
    expect(await allParts(place.client.runs.joinStream(null, run_id, { lastEventId }))).toEqual(
      parts.slice(-1),
    );
  },
};

const cancelling: Effects = {
  wait: async (place) => {
    const { thread_id, run_id } = await sleeping(place);
    await place.client.runs.cancel(thread_id, run_id, true);
    expect(await place.client.runs.get(thread_id, run_id)).toMatchObject({ status: "interrupted" });
  },
  action: async (place) => {
    const { thread_id, run_id } = await sleeping(place);
    await place.client.runs.cancel(thread_id, run_id, true, "rollback");
    await expect(place.client.runs.get(thread_id, run_id)).rejects.toThrow("404");
  },
};

const some = async (place: Place, action?: "interrupt" | "rollback") => {
  const [one, other] = [await sleeping(place), await sleeping(place)];
  const { thread_id: threadId, run_id } = one;
  await place.client.runs.cancelMany({
    threadId,
    runIds: [run_id],
    ...(action === undefined ? {} : { action }),
  });
  return { one, other };
};

const cancellingMany: Effects = {
  thread_id: async (place) => {
    const { one, other } = await some(place);
    await untilRun(place, one.thread_id, "interrupted");
    await untilRun(place, other.thread_id, "running");
  },
  run_ids: async (place) => {
    const { one } = await some(place);
    await untilRun(place, one.thread_id, "interrupted");
  },
  status: async ({ receiver }) => {
    await using server = await startServer({ graphs: GRAPHS }); // other runs are to go on
    const place = placeOf(server, receiver);
    const { thread_id, run_id } = await sleeping(place);
    await place.client.runs.cancelMany({ status: "running" });
    await untilRun(place, thread_id, "interrupted");
    expect(await place.client.runs.get(thread_id, run_id)).toMatchObject({ status: "interrupted" });
  },
  action: async (place) => {
    const { one } = await some(place, "rollback");
    await vi.waitFor(async () => expect(await place.client.runs.list(one.thread_id)).toEqual([]), {
      timeout: 20_000,
    });
  },
};

async function sleeping(place: Place) {
  const { thread_id } = await place.client.threads.create();
  const run = await place.client.runs.create(thread_id, "sleeper", { input });
  await untilRun(place, thread_id, "running");
  return { thread_id, run_id: run.run_id };
}

async function twice(place: Place): Promise<string> {
  const threadId = await stepped(place);
  await place.client.runs.wait(threadId, "failing", { input, raiseError: false });
  return threadId;
}

const statuses = (runs: readonly { readonly status: string }[]) => runs.map(({ status }) => status);

const listing: Effects = {
  limit: async (place) =>
    expect(statuses(await place.client.runs.list(await twice(place), { limit: 1 }))).toEqual(["error"]),
  offset: async (place) =>
    expect(statuses(await place.client.runs.list(await twice(place), { offset: 1 }))).toEqual(["success"]),
  status: async (place) =>
    expect(statuses(await place.client.runs.list(await twice(place), { status: "success" }))).toEqual([
      "success",
    ]),
  select: async (place) =>
    expect(await place.client.runs.list(await twice(place), { select: ["status"] })).toEqual([
      { status: "error" },
      { status: "success" },
    ]),
};

export const runEffects: Readonly<Record<string, Effects>> = {
  "runs.list": listing,
  "runs.cancel": cancelling,
  "runs.cancelMany": cancellingMany,
  "runs.join": { cancel_on_disconnect: joinAndLeave("join") },
  "runs.joinStream": joining,
};
