/** What the Platform's run endpoints take and answer. */

import { z } from "zod";
import { STREAM_MODES } from "../core/run-kwargs.ts";
import { Config, JsonObject } from "./native-schemas.ts";

const Nodes = z.union([z.literal("*"), z.array(z.string())]);
export const Destination = z.union([z.string(), z.strictObject({ node: z.string(), input: z.unknown() })]);
const Status = z.enum(["pending", "running", "error", "success", "timeout", "interrupted"]);

const Command = z.strictObject({
  resume: z.unknown().optional(),
  update: z.union([JsonObject, z.array(z.tuple([z.string(), z.unknown()]))]).nullish(),
  goto: z.union([Destination, z.array(Destination)]).nullish(),
});

const Checkpoint = z.strictObject({
  thread_id: z.string().nullish(),
  checkpoint_id: z.string().max(256).nullish(),
  checkpoint_ns: z.string().max(1024).nullish(),
  checkpoint_map: z.record(z.string(), z.string()).nullish(),
});

const StreamMode = z.enum(STREAM_MODES);
/** Refused rather than ignored. */
export const NotYet = z.null("this server does not have it yet").optional();

const Common = z.strictObject({
  assistant_id: z.string().meta({ description: "The name of a graph, or the id of its default assistant." }),
  input: z.unknown().optional(),
  command: Command.nullish(),
  config: Config.nullish(),
  context: JsonObject.nullish(),
  metadata: JsonObject.nullish(),
  interrupt_before: Nodes.nullish(),
  interrupt_after: Nodes.nullish(),
  stream_mode: z.union([StreamMode, z.array(StreamMode).min(1)]).nullish(),
  stream_subgraphs: z.boolean().nullish(),
  stream_resumable: z
    .boolean()
    .nullish()
    .meta({ description: "Every stream can be taken up again, with or without it." }),
  on_disconnect: z.enum(["cancel", "continue"]).nullish(),
  multitask_strategy: z.enum(["reject", "enqueue", "interrupt", "rollback"]).nullish(),
  if_not_exists: z.enum(["create", "reject"]).nullish(),
  after_seconds: z.number().min(0).max(31_536_000).nullish(),
  durability: z.enum(["async", "sync", "exit"]).nullish(),
  checkpoint_during: z
    .boolean()
    .nullish()
    .meta({ description: "Former name of durability `async` or `exit`." }),
  webhook: NotYet,
  feedback_keys: NotYet,
  langsmith_tracer: NotYet,
});

/** A run on a thread. */
export const RunCreate = Common.extend({
  checkpoint: Checkpoint.nullish(),
  checkpoint_id: z.string().max(256).nullish(),
  on_completion: z.literal("keep", "only a run without a thread has one that can be deleted").nullish(),
});

/** A run on a thread of its own; what is said of threads and other runs is true of it anyway. */
export const StatelessRunCreate = Common.extend({ on_completion: z.enum(["delete", "keep"]).nullish() });

export type RunCreateBody = z.output<typeof RunCreate> | z.output<typeof StatelessRunCreate>;

export const RunBatch = z.array(StatelessRunCreate).min(1).max(1_000);

export const RunAnswer = z.object({
  run_id: z.uuid(),
  thread_id: z.string(),
  assistant_id: z.uuid(),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
  status: Status,
  metadata: JsonObject,
  kwargs: JsonObject,
  multitask_strategy: z.enum(["reject", "enqueue", "interrupt", "rollback"]),
});

const Flag = z.stringbool({ truthy: ["1", "true"], falsy: ["0", "false", ""] }).optional();
/** Repeated, or as newer and older SDKs send it: JSON. */
const List = <Item extends z.ZodType<string>>(item: Item) =>
  z.union([item.transform((one) => [one]), z.array(item)]).optional();

export const CancelQuery = z.strictObject({
  wait: Flag,
  action: z.enum(["interrupt", "rollback"]).optional(),
});
export const JoinQuery = z.strictObject({ cancel_on_disconnect: Flag });
export const JoinStreamQuery = JoinQuery.extend({ stream_mode: List(StreamMode) });
const Field = z.enum(Object.keys(RunAnswer.shape));
export const ListQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1_000).default(10),
  offset: z.coerce.number().int().min(0).default(0),
  status: Status.optional(),
  select: List(Field),
});

export const CancelMany = z
  .strictObject({
    thread_id: z.string().nullish(),
    run_ids: z.array(z.uuid()).max(1_000).nullish(),
    status: z.enum(["pending", "running", "all"]).nullish(),
  })
  .refine(
    ({ thread_id, run_ids, status }) =>
      status == null ? thread_id != null && run_ids != null : thread_id == null && run_ids == null,
    "needs either thread_id and run_ids, or status",
  );

/**
 * The query's parameters: one that is repeated, or JSON text of a list, becomes a list. One that is empty is absent: the
 * Python client sends what is None like that. `code` is a function key.
 */
export function queryOf(request: Request): Readonly<Record<string, unknown>> {
  const { searchParams } = new URL(request.url);
  const given = [...searchParams].filter(([name, value]) => name !== "code" && value !== "");
  const names = new Set(given.map(([name]) => name));
  return Object.fromEntries(
    [...names].map((name) => {
      const values = searchParams.getAll(name);
      const [first = ""] = values;
      if (values.length > 1) return [name, values];
      return [name, first.startsWith("[") ? parsedList(first) : first];
    }),
  );
}

function parsedList(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
