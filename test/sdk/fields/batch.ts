/** What each field of an item of a batch does: of a run on a thread of its own, in the background. */

import { LangChainTracer } from "@langchain/core/tracers/tracer_langchain";
import { expect } from "vitest";
import { z } from "zod";
import { fresh, type Effects, type Place } from "./place.ts";
import { anywhere, input, ran, refused, without, type Payload, type Way } from "./runs.ts";

/** The SDK sends the names of its own options here. */
const createBatch: Way = {
  isStateless: true,
  ask: async ({ client }, _, assistantId, payload) => {
    const [run] = await client.runs.createBatch([{ ...payload, assistantId }]);
    if (run === undefined) throw new Error("The batch is empty");
    return run;
  },
};

/** As the API names them, and the Python client sends them. */
const batchItems: Way = {
  isStateless: true,
  ask: async ({ server }, _, assistant_id, { _langsmithTracer: tracer, ...payload }) => {
    const langsmith_tracer = tracer && { project_name: tracer.projectName, example_id: tracer.exampleId };
    const fields = Object.entries(payload).map(([name, value]) => [
      name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      value,
    ]);
    const item: unknown = { assistant_id, ...Object.fromEntries(fields), langsmith_tracer };
    const { status, text, body } = await server.post("/runs/batch", [item]);
    if (status !== 200) throw new Error(`HTTP ${status}: ${text}`);
    const [run] = Runs.parse(body);
    if (run === undefined) throw new Error("The batch is empty");
    return run;
  },
};

const Runs = z.array(z.object({ run_id: z.string(), thread_id: z.string() }));

/** What is said of a thread that nobody has named: a thread of its own, which is kept here for us to look at. */
function onItsOwnThread(way: Way): Effects {
  const refusal = async (place: Place, payload: Payload, field: string): Promise<void> =>
    expect(ran(place, way, "steps", { input, ...payload })).rejects.toThrow(refused(field));
  const kept = async (place: Place, payload: Payload) => {
    const run = await way.ask(place, "", "steps", { on_completion: "keep", ...payload });
    const values = await place.client.runs.join(run.thread_id ?? "", run.run_id);
    return { ...run, thread_id: run.thread_id ?? "", values };
  };
  const whole = "a, first, second";
  const onlyLast = async (place: Place, payload: Payload): Promise<void> => {
    const { thread_id } = await kept(place, { input, ...payload });
    expect(await place.client.threads.getHistory(thread_id)).toHaveLength(1);
  };
  return {
    ...without(anywhere(way), "on_completion"),
    on_completion: async (place) => {
      const { thread_id } = await kept(place, { input });
      expect((await place.client.threads.getHistory(thread_id)).length).toBeGreaterThan(1);
      const gone = await kept(place, { input, on_completion: "delete" });
      await expect(place.client.threads.get(gone.thread_id)).rejects.toThrow("404");
    },
    command: async (place) =>
      expect(
        (await kept(place, { command: { update: { text: "b" }, goto: "second" } })).values,
      ).toMatchObject({ text: expect.stringContaining("b, second") }),
    checkpoint_during: async (place) => onlyLast(place, { checkpointDuring: false }),
    durability: async (place) => onlyLast(place, { durability: "exit" }),
    after_seconds: async (place) => {
      const run = await way.ask(place, "", "steps", { input, on_completion: "keep", afterSeconds: 3_600 });
      const { thread_id = "", run_id } = run;
      expect(await place.client.runs.get(thread_id, run_id)).toMatchObject({ status: "pending" });
    },
    // Nothing else runs on the thread until the answer has told its name: every strategy does the same, and is kept.
    multitask_strategy: async (place) => {
      const { run_id, thread_id } = await kept(place, { input, multitaskStrategy: "reject" });
      expect(await place.client.runs.get(thread_id, run_id)).toMatchObject({ multitask_strategy: "reject" });
    },
    // Of a thread that is made for the run both are true; what is neither is refused.
    if_not_exists: async (place) => {
      for (const ifNotExists of ["create", "reject"] as const)
        expect((await kept(place, { input, ifNotExists })).values).toMatchObject({ text: whole });
      const { status, text } = await place.server.post("/runs/batch", [
        { assistant_id: "steps", input, if_not_exists: "wait" },
      ]);
      expect([status, text]).toEqual([422, expect.stringContaining("if_not_exists")]);
    },
    on_disconnect: async (place) => {
      expect((await kept(place, { input, onDisconnect: "continue" })).values).toMatchObject({ text: whole });
      await refusal(place, { onDisconnect: "cancel" }, "on_disconnect");
    },
    checkpoint: async (place) => {
      const checkpoint = { checkpoint_id: "1", checkpoint_ns: "", checkpoint_map: null };
      await refusal(place, { checkpoint }, "checkpoint");
    },
    checkpoint_id: async (place) => refusal(place, { checkpointId: "1" }, "checkpoint_id"),
  };
}

export const batchEffects: Readonly<Record<string, Effects>> = {
  "runs.createBatch": {
    ...without(onItsOwnThread(createBatch), "langsmith_tracer"),
    _langsmithTracer: async (place) => {
      const _langsmithTracer = new LangChainTracer({ projectName: "ours" });
      const asked = ran(place, createBatch, "steps", { input, _langsmithTracer });
      await expect(asked).rejects.toThrow(refused("langsmith_tracer"));
    },
  },
  "POST /runs/batch": {
    ...onItsOwnThread(batchItems),
    thread_id: async (place) => {
      const { status, text } = await place.server.post("/runs/batch", [
        { assistant_id: "steps", input, thread_id: fresh() },
      ]);
      expect([status, text]).toEqual([422, expect.stringContaining("thread_id")]);
    },
  },
};
