/** What each field of a request for a run does, by whichever of the four ways the run is asked for. */

import { LangChainTracer } from "@langchain/core/tracers/tracer_langchain";
import type { Client } from "@langchain/langgraph-sdk";
import { expect, vi } from "vitest";
import { allParts, eventNames, type Part } from "../../support/sdk.ts";
import { leave, untilRun } from "./run-control.ts";
import { fresh, middleOf, stepped, type Effect, type Effects, type Place } from "./place.ts";

export type Payload = NonNullable<Parameters<Client["runs"]["create"]>[2]> & {
  /** The SDK's own type has words that no server knows. */
  readonly on_completion?: "keep" | "delete";
};

interface Named {
  readonly run_id: string;
  readonly thread_id?: string | undefined;
}

/** A way to ask for a run. */
export interface Way {
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

/** The run that was asked for, with all that it streamed. */
export async function ran(
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

export const input = { text: "a" };
export const refused = (field: string) => new RegExp(`422.*${field}`, "s");

export function anywhere(way: Way): Effects {
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

export function without(effects: Effects, ...names: readonly string[]): Effects {
  return Object.fromEntries(Object.entries(effects).filter(([name]) => !names.includes(name)));
}

const tracing = (way: Way): Effects => {
  const { langsmith_tracer: effect } = anywhere(way);
  return effect === undefined ? {} : { project_name: effect, example_id: effect };
};

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
  "runs.create in the background": {
    on_disconnect: async (place) => {
      for (const path of ["/runs", `/threads/${await stepped(place)}/runs`]) {
        const body = { assistant_id: "steps", input, on_disconnect: "cancel" };
        const { status, text } = await place.server.post(path, body);
        expect([status, text]).toEqual([422, expect.stringContaining("on_disconnect")]);
      }
    },
  },
};
