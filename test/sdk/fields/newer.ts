/** What SDK 1.15.0 can send and the one that we test with cannot: written as that one writes it. */

import { expect, vi } from "vitest";
import { allParts, eventNames } from "../../support/sdk.ts";
import { untilRun } from "./run-control.ts";
import { fresh, stepped, type Effect, type Effects, type Place } from "./place.ts";

/** As interrupts are named. */
const STRAY = "0".repeat(32);
const input = { text: "a" };

const post = async ({ server }: Place, path: string, body: unknown) => server.post(path, body);

/** A thread that waits at an interrupt. */
async function asked(place: Place): Promise<string> {
  const { thread_id } = await place.client.threads.create();
  await place.client.runs.wait(thread_id, "asker", { input });
  return thread_id;
}

/** An answer to what is not asked fails, and the thread waits as before; without the field it is overlooked. */
function strictResume(door: "" | "/wait" | "/stream"): Effect {
  return async (place) => {
    const threadId = await asked(place);
    const before = await place.client.threads.get(threadId);
    const answer = async (resume: unknown, strict_resume: boolean) => {
      const body = { assistant_id: "asker", command: { resume }, strict_resume };
      await post(place, `/threads/${threadId}/runs${door}`, body);
      const runs = await vi.waitFor(
        async () => {
          const all = await place.client.runs.list(threadId, { limit: 1 });
          expect(["pending", "running"]).not.toContain(all[0]?.status);
          return all;
        },
        { timeout: 20_000 },
      );
      return place.client.runs.join(threadId, runs[0]?.run_id ?? "");
    };
    expect(await answer({ [STRAY]: "b" }, true)).toEqual({
      __error__: {
        error: "UnknownInterruptError",
        message: `The thread does not wait at interrupt '${STRAY}'`,
      },
    });
    const after = await place.client.threads.get(threadId);
    expect(after).toMatchObject({ status: "interrupted", interrupts: before.interrupts });
    expect(await place.client.threads.getHistory(threadId)).toHaveLength(2);
    expect(await answer({ [STRAY]: "b" }, false)).toMatchObject({ text: "a" });
    expect(await answer("b", true)).toMatchObject({ text: "a b" });
  };
}

/** Where nothing is asked, nothing can be answered. */
const strictResumeAlone =
  (field: string): Effect =>
  async (place) => {
    const item = { assistant_id: "asker", command: { resume: "b" }, [field]: true, on_completion: "keep" };
    const { body } = await post(place, "/runs/batch", [item]);
    const [run] = Array.isArray(body) ? (body as readonly { run_id: string; thread_id: string }[]) : [];
    expect(await place.client.runs.join(run?.thread_id ?? "", run?.run_id ?? "")).toMatchObject({
      __error__: { error: "UnknownInterruptError" },
    });
  };

const streamNamespace: Effect = async (place) => {
  const body = { assistant_id: "nested", input, stream_subgraphs: true, if_not_exists: "create" };
  const whole = await post(place, `/threads/${fresh()}/runs/stream`, body);
  const root = await post(place, `/threads/${fresh()}/runs/stream?namespace=`, body);
  expect(whole.text).toContain("event: values|sub:");
  expect(root.text).not.toContain("|");
  expect(root.text.match(/event: values/g)).toHaveLength(3);
};

const joinNamespace: Effect = async (place) => {
  const { run_id } = await place.client.runs.create(null, "nested", { input, streamSubgraphs: true });
  const parts = await allParts(place.client.runs.joinStream(null, run_id));
  const [, namespace = ""] = parts.flatMap(({ event }) => /^values\|(.+)$/.exec(event) ?? []);
  const both = await place.server.get(`/runs/${run_id}/stream?namespace=&namespace=${namespace}`);
  expect(both.text.match(/event: /g)).toHaveLength(parts.length);
  const inner = await place.server.get(`/runs/${run_id}/stream?namespace=${namespace}`);
  expect(new Set(inner.text.match(/event: \S+/g))).toEqual(
    new Set(["event: metadata", `event: values|${namespace}`]),
  );
};

/** All that came after the checkpoint, if the run told of it; else the whole run. */
const joinCheckpoint: Effect = async (place) => {
  const { thread_id } = await place.client.threads.create();
  const streamMode = ["values", "checkpoints"] as const;
  const { run_id } = await place.client.runs.create(thread_id, "steps", {
    input,
    streamMode: [...streamMode],
  });
  const parts = await allParts(place.client.runs.joinStream(thread_id, run_id));
  const [, second] = await place.client.threads.getHistory(thread_id);
  const from = async (checkpoint: string, id = "-1") => {
    const path = `/threads/${thread_id}/runs/${run_id}/stream?checkpoint_id=${checkpoint}`;
    const { text } = await place.server.get(path, { headers: { "last-event-id": id } });
    return [...text.matchAll(/event: (\S+)/g)].map(([, event]) => event);
  };
  expect(await from(fresh())).toEqual(eventNames(parts));
  const { checkpoint_id } = second?.checkpoint ?? {};
  expect(await from(checkpoint_id ?? "")).toEqual(["metadata", "values", "checkpoints"]);
  const last = parts.findLast(({ event }) => event === "values")?.id;
  expect(await from(checkpoint_id ?? "", last)).toEqual(["checkpoints"]);
};

const cancelReason: Effect = async (place) => {
  const { thread_id } = await place.client.threads.create();
  const { run_id } = await place.client.runs.create(thread_id, "sleeper", { input });
  await untilRun(place, thread_id, "running");
  const path = `/threads/${thread_id}/runs/${run_id}/cancel`;
  expect((await post(place, `${path}?action=rollback&reason=taken`, {})).status).toBe(422);
  expect((await post(place, `${path}?reason=bored`, {})).status).toBe(422);
  expect((await post(place, `${path}?wait=1&action=interrupt&reason=taken`, {})).status).toBe(204);
  expect(await place.client.runs.get(thread_id, run_id)).toMatchObject({
    status: "interrupted",
    metadata: { cancel_reason: expect.stringMatching(/^taken:/) },
  });
};

/** Of a thread's state, by each way to it. */
const selectState: Effect = async (place) => {
  const threadId = await stepped(place);
  const wanted = { values: { text: "a, first, second" }, next: [] };
  const path = `/threads/${threadId}/state`;
  const query = "select=values.text&select=next";
  expect((await place.server.get(`${path}?${query}`)).body).toEqual(wanted);
  const { checkpoint } = await place.client.threads.getState(threadId);
  expect((await place.server.get(`${path}/${checkpoint.checkpoint_id}?${query}`)).body).toEqual(wanted);
  const body = { checkpoint: { checkpoint_id: checkpoint.checkpoint_id }, select: ["values.text", "next"] };
  expect((await post(place, `${path}/checkpoint`, body)).body).toEqual(wanted);
};

const selectHistory: Effect = async (place) => {
  const body = { limit: 2, select: ["values.text"] };
  expect((await post(place, `/threads/${await stepped(place)}/history`, body)).body).toEqual([
    { values: { text: "a, first, second" } },
    { values: { text: "a, first" } },
  ]);
};

/** What SDK 2.0.0 sends, and neither of the others. */
const makesThread: Effect = async (place) => {
  const cron = { assistant_id: "steps", schedule: "0 0 1 1 *", input };
  const ask = async (threadId: string, if_not_exists: string) =>
    post(place, `/threads/${threadId}/runs/crons`, { ...cron, if_not_exists });
  const thread_id = fresh();
  expect((await ask(thread_id, "reject")).status).toBe(404);
  for (const _ of [1, 2])
    expect(await ask(thread_id, "create")).toMatchObject({ status: 200, body: { thread_id } });
  expect(await place.client.threads.get(thread_id)).toMatchObject({ status: "idle" });
};

/** Its runs have threads of their own: both are true of them, what is neither is refused. */
const eitherWay: Effect = async (place) => {
  const cron = { assistant_id: "steps", schedule: "0 0 1 1 *", input };
  const ask = async (if_not_exists: string) =>
    (await post(place, "/runs/crons", { ...cron, if_not_exists })).status;
  expect([await ask("create"), await ask("reject"), await ask("wait")]).toEqual([200, 200, 422]);
};

export const otherEffects: Readonly<Record<string, Effects>> = {
  "crons.createForThread": { if_not_exists: makesThread },
  "crons.create": { if_not_exists: eitherWay },
};

export const newerEffects: Readonly<Record<string, Effects>> = {
  "runs.create": { strict_resume: strictResume("") },
  "runs.wait": { strict_resume: strictResume("/wait") },
  "runs.stream": { strict_resume: strictResume("/stream"), namespace: streamNamespace },
  "runs.createBatch": { strictResume: strictResumeAlone("strictResume") },
  "runs.cancel": { reason: cancelReason },
  "threads.getState": { select: selectState },
  "threads.getHistory": { select: selectHistory },
  "runs.joinStream": { namespace: joinNamespace, checkpoint_id: joinCheckpoint },
};
