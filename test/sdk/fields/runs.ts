/** What each field of a request for a run does, by whichever of the four ways the run is asked for. */

import { LangChainTracer } from "@langchain/core/tracers/tracer_langchain";
import type { Client } from "@langchain/langgraph-sdk";
import { expect, vi } from "vitest";
import { z } from "zod";
import { allParts, eventNames, type Part } from "../../support/sdk.ts";
import { leave, untilRun } from "./run-control.ts";
import { fresh, middleOf, stepped, type Effect, type Effects, type Place } from "./place.ts";

type Payload = NonNullable<Parameters<Client["runs"]["create"]>[2]> & {
  /** The SDK's own type has words that no server knows. */
  readonly on_completion?: "keep" | "delete";
};

interface Named {
  readonly run_id: string;
  readonly thread_id?: string | undefined;
}

/** A way to ask for a run. */
interface Way {
  readonly ask: (place: Place, threadId: string, assistant: string, payload: Payload) => Promise<Named>;
  readonly isStateless?: boolean;
}

const create: Way = {
  ask: async ({ client }, threadId, assistant, payload) => client.runs.create(threadId, assistant, payload),
};

const wait: Way = {
  ask: async ({ client }, threadId, assistant, { streamMode, streamSubgraphs, ...payload }) => {
    expect([streamMode, streamSubgraphs]).toEqual([undefined, undefined]); // it does not send them
    let run: Named = { run_id: "" };
    const onRunCreated = (created: Named): void => void (run = created);
    await client.runs.wait(threadId, assistant, { ...payload, raiseError: false, onRunCreated });
    return run;
  },
};

const stream: Way = {
  ask: async ({ client }, threadId, assistant, payload) => {
    let run: Named = { run_id: "" };
    const onRunCreated = (created: Named): void => void (run = created);
    for await (const _ of client.runs.stream(threadId, assistant, { ...payload, onRunCreated })) continue;
    return run;
  },
};

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

/** The run that was asked for, with all that it streamed. */
async function ran(
  place: Place,
  way: Way,
  assistant: string,
  payload: Payload,
): Promise<Named & { readonly parts: readonly Part[]; readonly values: unknown }> {
  const threadId = fresh();
  const run = await way.ask(place, threadId, assistant, { ifNotExists: "create", ...payload });
  const parts = await allParts(
    place.client.runs.joinStream(way.isStateless === true ? null : threadId, run.run_id),
  );
  const values = parts.findLast(({ event, data }) => event === "values" && !isInterrupt(data))?.data;
  return { ...run, parts, values };
}

function isInterrupt(data: unknown): boolean {
  return typeof data === "object" && data !== null && Object.keys(data).join() === "__interrupt__";
}

const input = { text: "a" };
const refused = (field: string) => new RegExp(`422.*${field}`, "s");

function anywhere(way: Way): Effects {
  const whole = async (place: Place, payload: Payload) => ran(place, way, "steps", { input, ...payload });
  const reported = async (place: Place, payload: Payload) =>
    (await ran(place, way, "reporting", { input, ...payload })).values;
  return {
    assistant_id: async (place) =>
      expect(await reported(place, {})).toMatchObject({ report: { metadata: { graph_id: "reporting" } } }),
    input: async (place) =>
      expect((await whole(place, {})).values).toMatchObject({ text: "a, first, second" }),
    config: async (place) =>
      expect(
        await reported(place, { config: { configurable: { color: "red" }, tags: ["x"] } }),
      ).toMatchObject({ report: { configurable: { color: "red" }, tags: ["x"] } }),
    context: async (place) =>
      expect(await reported(place, { context: { color: "blue" } })).toMatchObject({
        report: { context: { color: "blue" } },
      }),
    metadata: async (place) =>
      expect(await reported(place, { metadata: { why: "test" } })).toMatchObject({
        report: { metadata: { why: "test" } },
      }),
    interrupt_before: async (place) =>
      expect((await whole(place, { interruptBefore: ["second"] })).values).toMatchObject({
        text: "a, first",
      }),
    interrupt_after: async (place) =>
      expect((await whole(place, { interruptAfter: ["first"] })).values).toMatchObject({ text: "a, first" }),
    webhook: async (place) => {
      const { run_id } = await whole(place, { webhook: place.receiver.url });
      await vi.waitFor(
        () => expect(place.receiver.received.map(({ body }) => body["run_id"])).toContain(run_id),
        {
          timeout: 20_000,
        },
      );
    },
    on_completion: async (place) =>
      expect(whole(place, { onCompletion: "complete" })).rejects.toThrow(refused("on_completion")),
    stream_mode: async (place) => {
      const { parts } = await whole(place, { streamMode: ["updates", "tasks"] });
      expect(new Set(eventNames(parts))).toEqual(new Set(["metadata", "updates", "tasks"]));
    },
    stream_subgraphs: async (place) => {
      const { parts } = await ran(place, way, "nested", { input, streamSubgraphs: true });
      expect(eventNames(parts)).toContain("values|sub:id");
    },
    stream_resumable: async (place) => {
      const { run_id, thread_id, parts } = await whole(place, { streamResumable: true });
      const lastEventId = parts[1]?.id ?? "";
      const threadId = way.isStateless === true ? null : thread_id;
      const rest = await allParts(place.client.runs.joinStream(threadId, run_id, { lastEventId }));
      expect(rest).toEqual(parts.slice(2));
    },
    feedback_keys: async (place) =>
      expect(whole(place, { feedbackKeys: ["good"] })).rejects.toThrow(refused("feedback_keys")),
    langsmith_tracer: async (place) => {
      const tracer = new LangChainTracer({ projectName: "ours", exampleId: "example" });
      expect(await reported(place, { _langsmithTracer: tracer })).toMatchObject({
        report: { configurable: { langsmith_project: "ours", langsmith_example_id: "example" } },
      });
    },
  };
}

function onThreads(way: Way): Effects {
  const onlyLast = async (place: Place, payload: Payload): Promise<void> => {
    const { thread_id = "" } = await ran(place, way, "steps", { input, ...payload });
    expect(await place.client.threads.getHistory(thread_id)).toHaveLength(1);
  };
  const forked = async (place: Place, from: (checkpointId: string) => Payload): Promise<void> => {
    const threadId = await stepped(place);
    const { checkpoint } = await middleOf(place, threadId);
    const { run_id } = await way.ask(place, threadId, "steps", {
      input: null,
      ...from(checkpoint.checkpoint_id ?? ""),
    });
    await place.client.runs.join(threadId, run_id);
    const history = await place.client.threads.getHistory(threadId);
    const parents = history.map(({ parent_checkpoint: parent }) => parent?.checkpoint_id);
    expect(parents.filter((parent) => parent === checkpoint.checkpoint_id)).toHaveLength(2);
  };
  return {
    checkpoint: async (place) =>
      forked(place, (checkpoint_id) => ({
        checkpoint: { checkpoint_id, checkpoint_ns: "", checkpoint_map: null },
      })),
    checkpoint_id: async (place) => forked(place, (checkpointId) => ({ checkpointId })),
    checkpoint_during: async (place) => onlyLast(place, { checkpointDuring: false }),
    durability: async (place) => onlyLast(place, { durability: "exit" }),
    command: async (place) => {
      const threadId = await stepped(place);
      const command = { update: { text: "b" }, goto: "second" };
      const { run_id } = await way.ask(place, threadId, "steps", { command });
      expect(await place.client.runs.join(threadId, run_id)).toMatchObject({ text: "b, second" });
    },
    if_not_exists: async (place) => {
      const payload = { input, ifNotExists: "reject" } as const;
      await expect(way.ask(place, fresh(), "steps", payload)).rejects.toThrow("404");
      expect((await ran(place, way, "steps", { input })).values).toMatchObject({ text: "a, first, second" });
    },
    multitask_strategy: async (place) => {
      const { thread_id } = await place.client.threads.create();
      await place.client.runs.create(thread_id, "steps", { input, afterSeconds: 3_600 });
      const payload = { input, multitaskStrategy: "reject" } as const;
      await expect(way.ask(place, thread_id, "steps", payload)).rejects.toThrow("409");
    },
    after_seconds: async (place) => {
      const { thread_id } = await place.client.threads.create();
      using leaving = leave();
      const asked = way.ask(place, thread_id, "steps", {
        input,
        afterSeconds: 3_600,
        signal: leaving.signal,
      });
      asked.catch(() => undefined); // some ways wait until the run has ended
      await untilRun(place, thread_id, "pending");
      await place.client.runs.create(thread_id, "steps", { input, multitaskStrategy: "interrupt" });
      await untilRun(place, thread_id, "success");
    },
  };
}

/** For those who wait, or listen. */
function onDisconnect(way: Way): Effect {
  return async (place) => {
    const { thread_id } = await place.client.threads.create();
    using leaving = leave();
    const payload = { input, onDisconnect: "cancel", signal: leaving.signal } as const;
    const asked = way.ask(place, thread_id, "sleeper", payload);
    asked.catch(() => undefined);
    await untilRun(place, thread_id, "running");
    leaving.now();
    await untilRun(place, thread_id, "interrupted");
  };
}

function without(effects: Effects, ...names: readonly string[]): Effects {
  return Object.fromEntries(Object.entries(effects).filter(([name]) => !names.includes(name)));
}

const tracing = (way: Way): Effects => {
  const { langsmith_tracer: effect } = anywhere(way);
  return effect === undefined ? {} : { project_name: effect, example_id: effect };
};

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

export const askingEffects: Readonly<Record<string, Effects>> = {
  "runs.create": { ...anywhere(create), ...onThreads(create), ...tracing(create) },
  "runs.stream": {
    ...without(anywhere(stream), "langsmith_tracer"),
    ...onThreads(stream),
    on_disconnect: onDisconnect(stream),
  },
  "runs.wait": {
    ...without(anywhere(wait), "stream_mode", "stream_subgraphs", "stream_resumable", "feedback_keys"),
    ...onThreads(wait),
    ...tracing(wait),
    on_disconnect: onDisconnect(wait),
  },
  "runs.createBatch": {
    ...without(onItsOwnThread(createBatch), "langsmith_tracer"),
    _langsmithTracer: async (place) => {
      const _langsmithTracer = new LangChainTracer({ projectName: "ours" });
      const asked = ran(place, createBatch, "steps", { input, _langsmithTracer });
      await expect(asked).rejects.toThrow(refused("langsmith_tracer"));
    },
  },
  "runs.create in the background": {
    on_disconnect: async (place) => {
      for (const path of ["/runs", `/threads/${await stepped(place)}/runs`]) {
        const body = { assistant_id: "steps", input, on_disconnect: "cancel" };
        const { status, text } = await place.server.post(path, body);
        expect([status, text]).toEqual([422, expect.stringContaining("on_disconnect")]);
      }
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
