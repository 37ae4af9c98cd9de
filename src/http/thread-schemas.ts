/** What the Platform's thread endpoints take and answer. Null is as good as absent. */

import { z } from "zod";
import { QueryBoolean } from "./query.ts";

const JsonObject = z.record(z.string(), z.unknown());
const Status = z.enum(["idle", "busy", "interrupted", "error"]);
const SortBy = z.enum(["thread_id", "status", "created_at", "updated_at", "state_updated_at"]);
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

/** Absent and null alike. */
const optional = <Schema extends z.ZodType>(schema: Schema) =>
  schema.nullish().transform((value) => value ?? undefined);
const withDefault = <Schema extends z.ZodType>(schema: Schema, value: z.output<Schema>) =>
  schema.nullish().transform((given) => given ?? value);
const refused = (reason: string) => z.null({ error: reason }).optional();
const noTtl = refused("threads cannot be made to expire yet");

const ThreadId = z.unknown().optional().meta({
  type: "string",
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
  ttl: noTtl,
});

export const ThreadPatch = z.strictObject({ metadata: withDefault(JsonObject, {}), ttl: noTtl });

export const StatePatch = z.strictObject({ metadata: JsonObject });

const filter = {
  metadata: optional(JsonObject),
  values: optional(JsonObject),
  status: optional(Status),
};

export const ThreadSearch = z.strictObject({
  ...filter,
  ids: optional(z.array(z.string()).max(1000)),
  limit: withDefault(z.int().min(1).max(1000), 10),
  offset: withDefault(z.int().min(0), 0),
  sort_by: withDefault(SortBy, "created_at"),
  sort_order: withDefault(z.enum(["asc", "desc"]), "desc"),
  select: withDefault(z.array(Field).min(1), [...Field.options]),
  extract: refused("extraction from found threads is not supported yet"),
});

export const ThreadCount = z.strictObject(filter);

export const ThreadPrune = z.strictObject({
  thread_ids: z.array(z.string()).max(1000),
  strategy: withDefault(z.enum(["delete"], { error: "only delete is supported yet" }), "delete"),
});

const CheckpointId = z.string().min(1).max(256);

const Checkpoint = z.strictObject({
  thread_id: optional(z.string()),
  checkpoint_id: optional(CheckpointId),
  checkpoint_ns: optional(z.string().max(1024)),
  checkpoint_map: optional(JsonObject),
});

const Subgraphs = withDefault(z.boolean(), false);

export const StateQuery = z.strictObject({ subgraphs: QueryBoolean.default(false) });

export const StateAt = z.strictObject({ checkpoint: Checkpoint, subgraphs: Subgraphs });

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
});

export const HistoryParams = z.strictObject({
  limit: z.coerce.number().pipe(z.int().min(1).max(1000)).default(10),
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
