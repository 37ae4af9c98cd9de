/** What the event streaming protocol takes and answers. @see https://www.npmjs.com/package/@langchain/protocol */

import { z } from "zod";
import { Config, JsonObject } from "./native-schemas.ts";
import { Destination, LangSmithTracer } from "./runs-schemas.ts";

const Namespace = z.array(z.string());

/** Lenient about what it does not know, as clients of other versions are to be served; what they miss is a channel. */
export const EventStreamBody = z.object({
  channels: z.array(z.string()).min(1).meta({
    description:
      "values, updates, messages, tools, lifecycle, input, checkpoints, tasks, custom, custom:<name>",
  }),
  namespaces: z.array(Namespace).nullish().meta({
    description: "Prefixes. A segment without a colon stands for each task of that node; none for all.",
  }),
  depth: z.int().min(0).nullish().meta({ description: "Levels below the prefix." }),
  since: z.int().min(0).nullish().meta({
    description:
      "After this event, in all that the thread has logged. If absent, from the beginning of the newest run.",
  }),
});

export const CommandBody = z.object({
  id: z.int().min(0),
  method: z.string(),
  params: JsonObject.nullish(),
});

const Strategy = z.enum(["reject", "enqueue", "interrupt", "rollback"]);

export const RunStartParams = z.strictObject({
  assistant_id: z.string(),
  input: z.unknown().optional(),
  config: Config.nullish(),
  metadata: JsonObject.nullish(),
  multitaskStrategy: Strategy.nullish(),
  multitask_strategy: Strategy.nullish(),
  langsmith_tracer: LangSmithTracer,
});

const Answer = {
  namespace: Namespace.optional().meta({
    description: "Where the request came from; its id alone identifies it.",
  }),
  interrupt_id: z.string().min(1),
  response: z.unknown().optional(),
};

const Resume = {
  update: z.union([JsonObject, z.array(z.tuple([z.string(), z.unknown()]))]).nullish(),
  goto: z.union([Destination, z.array(Destination)]).nullish(),
  config: Config.nullish(),
  metadata: JsonObject.nullish(),
  strict_resume: z
    .boolean()
    .nullish()
    .meta({ description: "An interrupt that the thread does not wait at is refused, with or without it." }),
};

export const RespondParams = z.union([
  z.strictObject({ responses: z.array(z.strictObject(Answer)).min(1), ...Resume }),
  z.strictObject({ ...Answer, ...Resume }),
]);

export const StateGetParams = z.strictObject({
  namespace: Namespace.default([]),
  keys: z.array(z.string()).nullish(),
});

export const ListCheckpointsParams = z.strictObject({
  namespace: Namespace.default([]),
  limit: z.int().min(1).max(1_000).default(10),
  before: z.string().max(256).nullish(),
});

export const ForkParams = z.strictObject({
  checkpoint_id: z.string().min(1).max(256),
  input: z.unknown().optional(),
  config: Config.nullish(),
});

const Refusal = z.object({
  type: z.literal("error"),
  id: z.int().nullable(),
  error: z.string().meta({ description: "A word for programs." }),
  message: z.string().meta({ description: "For a person." }),
});

export const CommandAnswer = z.union([
  z.object({
    type: z.literal("success"),
    id: z.int(),
    result: JsonObject,
    meta: z.object({
      thread_id: z.string(),
      applied_through_seq: z
        .int()
        .meta({ description: "The thread's newest event before the command was carried out." }),
    }),
  }),
  Refusal,
]);

/** To what is no command, or has no thread. */
export const NoCommand = z.union([
  Refusal.extend({ detail: z.string() }),
  z.object({ error: z.string(), detail: z.string() }),
]);
