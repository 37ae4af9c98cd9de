/** What the Platform's thread endpoints take and answer. Null is as good as absent. */

import { z } from "zod";
import { optional, withDefault } from "./lenient.ts";
import { JsonObject } from "./native-schemas.ts";
import { QueryBoolean } from "./query.ts";

const Status = z.enum(["idle", "busy", "interrupted", "error"]);
const SortBy = z.enum(["thread_id", "status", "created_at", "updated_at", "state_updated_at"]);
const ExtractField = z.enum(["values", "metadata", "config", "interrupts"]);
const Field = z.enum([
  "thread_id",
  "created_at",
  "updated_at",
  "state_updated_at",
  "metadata",
  "config",
  "status",
  "values",
  "interrupts",
]);
const Strategy = z.enum(["delete", "keep_latest"]);

/** A hundred years at most. */
const Ttl = z
  .strictObject({ ttl: z.number().gt(0).max(52_560_000), strategy: withDefault(Strategy, "delete") })
  .transform(({ ttl, strategy }) => ({ ttl_minutes: ttl, strategy }))
  .meta({
    description:
      "The minutes until the thread is deleted, or (`keep_latest`) all that led to its newest state.",
  });

const ThreadId = z
  .unknown()
  .optional()
  .meta({
    type: ["string", "null"],
    description: "1 to 256 printable ASCII characters; made up if absent.",
  });

/** Not `resume`: an edit answers no interrupt. */
const StateCommand = z
  .strictObject({
    update: JsonObject.optional(),
    goto: z.union([z.string(), z.array(z.string())]).optional(),
  })
  .refine((command) => Object.keys(command).length > 0, "needs update or goto");

const SuperstepUpdate = z
  .strictObject({
    values: z.unknown().optional(),
    command: optional(StateCommand),
    as_node: optional(z.string().max(256)),
  })
  .refine(
    ({ values, command }) => command === undefined || values === undefined || values === null,
    "give either values or a command, not both",
  );

export const ThreadCreate = z.strictObject({
  thread_id: ThreadId,
  metadata: withDefault(JsonObject, {}),
  if_exists: withDefault(z.enum(["raise", "do_nothing"]), "raise"),
  supersteps: optional(
    z.array(z.strictObject({ updates: z.array(SuperstepUpdate).min(1) })).meta({
      description:
        "Updates that lead to the state which the thread starts with; metadata.graph_id names the graph.",
    }),
  ),
  ttl: optional(Ttl),
});

export const ThreadPatch = z.strictObject({ metadata: withDefault(JsonObject, {}), ttl: optional(Ttl) });

export const ThreadQuery = z.strictObject({
  include: z
    .union([z.literal("ttl"), z.array(z.literal("ttl"))])
    .optional()
    .meta({ description: "`ttl` for when the thread will be gone." }),
});

export const StatePatch = z.strictObject({ metadata: JsonObject });

const filter = {
  metadata: optional(JsonObject),
  values: optional(JsonObject),
  status: optional(Status),
};

const ExtractPath = z
  .string()
  .max(1_024)
  .regex(
    /^(values|metadata|config|interrupts)(\.[^.[\]]+|\[-?\d+\])*$/,
    "must be like values.messages[-1].content, from values, metadata, config or interrupts",
  )
  .transform((text) => {
    const [field, ...path] = [...text.matchAll(/[^.[\]]+/g)].map(([part]) => part);
    return { field: ExtractField.parse(field), path };
  });

export const ThreadSearch = z.strictObject({
  ...filter,
  ids: optional(z.array(z.string()).max(1000)),
  limit: withDefault(z.int().min(1).max(1000), 10),
  offset: withDefault(z.int().min(0), 0),
  sort_by: withDefault(SortBy, "created_at"),
  sort_order: withDefault(z.enum(["asc", "desc"]), "desc"),
  select: withDefault(z.array(Field).min(1), [...Field.options]),
  extract: optional(
    z
      .record(z.string().min(1).max(256), ExtractPath)
      .refine((extract) => Object.keys(extract).length <= 10, "10 paths at most")
      .meta({ description: "What to show of each thread, by a name: `values.messages[-1].content`." }),
  ),
});

export const ThreadCount = z.strictObject(filter);

export const ThreadPrune = z.strictObject({
  thread_ids: z.array(z.string()).max(1000),
  strategy: withDefault(Strategy, "delete").meta({
    description: "`keep_latest` keeps each thread with its newest state.",
  }),
});

const CheckpointId = z.string().min(1).max(256);

const Checkpoint = z.strictObject({
  thread_id: optional(z.string()),
  checkpoint_id: optional(CheckpointId),
  checkpoint_ns: optional(z.string().max(1024)),
  checkpoint_map: optional(JsonObject),
});

const Subgraphs = withDefault(z.boolean(), false);

const StateField = z.enum([
  "values",
  "next",
  "tasks",
  "metadata",
  "created_at",
  "checkpoint",
  "parent_checkpoint",
  "interrupts",
]);

const StateSelect = z
  .array(z.union([StateField, z.templateLiteral(["values.", z.string().min(1)])]))
  .min(1)
  .meta({ description: "The fields to answer with; `values.messages` for one member of the values." });

export const StateQuery = z.strictObject({
  subgraphs: QueryBoolean.default(false),
  select: z.preprocess((select) => listOf(select), StateSelect.optional()),
});

/** Repeated, or JSON text. */
function listOf(select: unknown): unknown {
  if (typeof select !== "string") return select;
  if (!select.startsWith("[")) return [select];
  try {
    return JSON.parse(select) as unknown;
  } catch {
    return [select];
  }
}

export const StateAt = z.strictObject({
  checkpoint: Checkpoint,
  subgraphs: Subgraphs,
  select: optional(StateSelect),
});

export const StateUpdate = z.strictObject({
  values: z.unknown().optional().meta({ description: "What the node would have answered." }),
  as_node: optional(z.string().max(256)).meta({
    description: "The node that the update is to come from; the one that ran last if absent.",
  }),
  checkpoint: optional(Checkpoint),
  checkpoint_id: optional(CheckpointId),
});

const Before = z
  .union([CheckpointId, z.strictObject({ configurable: Checkpoint }), Checkpoint])
  .transform((before) => {
    if (typeof before === "string") return before;
    return "configurable" in before ? before.configurable.checkpoint_id : before.checkpoint_id;
  })
  .refine((before) => before !== undefined, "needs a checkpoint_id");

export const HistoryBody = z.strictObject({
  limit: withDefault(z.int().min(1).max(1000), 10),
  before: optional(Before),
  metadata: optional(JsonObject),
  checkpoint: optional(Checkpoint),
  select: optional(StateSelect),
});

export const HistoryParams = z.strictObject({
  select: StateQuery.shape.select,
  limit: z.coerce.number().int().min(1).max(1000).default(10),
  before: CheckpointId.optional(),
});

const Time = z.iso.datetime();

export const ThreadAnswer = z.object({
  thread_id: z.string(),
  created_at: Time,
  updated_at: Time,
  state_updated_at: Time,
  metadata: JsonObject,
  config: JsonObject,
  status: Status,
  values: z.unknown(),
  interrupts: z.record(z.string(), z.array(z.unknown())),
  ttl: z
    .object({ strategy: Strategy, ttl_minutes: z.number(), expires_at: Time })
    .nullable()
    .optional()
    .meta({ description: "If it was asked for; null for a thread that stays." }),
  extracted: JsonObject.optional().meta({ description: "In a search that extracts." }),
});

const CheckpointAnswer = z.object({
  thread_id: z.string(),
  checkpoint_id: z.string().nullable(),
  checkpoint_ns: z.string(),
  checkpoint_map: JsonObject.nullable(),
});

export const StateAnswer = z.object({
  values: z.unknown(),
  next: z.array(z.string()),
  tasks: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      path: z.array(z.unknown()),
      error: z.string().nullable(),
      interrupts: z.array(z.unknown()),
      checkpoint: JsonObject.nullable(),
      state: JsonObject.nullable().meta({ description: "The subgraph's, if subgraphs were asked for." }),
      result: z.unknown(),
    }),
  ),
  metadata: JsonObject,
  created_at: Time.nullable(),
  checkpoint: CheckpointAnswer.nullable(),
  parent_checkpoint: CheckpointAnswer.nullable(),
  interrupts: z.array(z.unknown()),
});

export const StateUpdateAnswer = z.object({ checkpoint: JsonObject });
