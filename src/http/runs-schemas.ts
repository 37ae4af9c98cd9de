/** What the Platform's run endpoints take and answer. */

import { z } from "zod";
import { STREAM_MODES } from "../core/run-kwargs.ts";
import { Config, JsonObject } from "./native-schemas.ts";

const Nodes = z.union([z.literal("*"), z.array(z.string())]);
/** LangGraph's own `Send`, as `RemoteGraph` writes it. */
const Send = z
  .strictObject({ lg_name: z.literal("Send"), node: z.string(), args: z.unknown() })
  .transform(({ node, args }) => ({ node, input: args }));
export const Destination = z.union([
  z.string(),
  z.strictObject({ node: z.string(), input: z.unknown() }),
  Send,
]);
const Status = z.enum(["pending", "running", "error", "success", "timeout", "interrupted"]);

const Command = z.strictObject({
  lg_name: z.literal("Command").optional().meta({ description: "As `RemoteGraph` marks a command." }),
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
const NoFeedback = z
  .null("this server does not make LangSmith's feedback URLs; make them with LangSmith's own client")
  .optional();

export const LangSmithTracer = z
  .strictObject({ project_name: z.string().min(1).nullish(), example_id: z.string().min(1).nullish() })
  .nullish()
  .meta({ description: "Where LangSmith is told of the run, besides the server's own project." });

/** What can be said of any run. */
export const RunFields = z.strictObject({
  assistant_id: z
    .string()
    .meta({ description: "The id of an assistant, or the name of a graph for its default one." }),
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
  webhook: z
    .string()
    .nullish()
    .meta({ description: "An http or https URL that is told, by POST, when the run has ended." }),
  feedback_keys: NoFeedback,
  langsmith_tracer: LangSmithTracer,
  strict_resume: z
    .boolean()
    .nullish()
    .meta({ description: "Fails, and changes nothing, when it answers what the thread does not wait at." }),
});

/** A run on a thread. */
export const RunCreate = RunFields.extend({
  checkpoint: Checkpoint.nullish(),
  checkpoint_id: z.string().max(256).nullish(),
  on_completion: z.literal("keep", "only a run without a thread has one that can be deleted").nullish(),
});

/** A run on a thread of its own; what is said of threads and other runs is true of it anyway. */
export const StatelessRunCreate = RunFields.extend({ on_completion: z.enum(["delete", "keep"]).nullish() });

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

const OneFlag = z
  .stringbool({ truthy: ["1", "true"], falsy: ["0", "false", ""] })
  .meta({ enum: ["", "0", "1", "false", "true"] });
const Flag = OneFlag.optional();
/** The SDK adds its parameters once more to those of the location where it goes on. */
const RepeatableFlag = z
  .union([OneFlag, z.array(OneFlag).transform((flags) => flags.includes(true))])
  .optional();
/** Repeated, or as newer and older SDKs send it: JSON. */
const List = <Item extends z.ZodType<string>>(item: Item) =>
  z.union([item.transform((one) => [one]), z.array(item)]).optional();

const Action = z.enum(["interrupt", "rollback"]).optional();
export const CancelQuery = z
  .strictObject({
    wait: Flag,
    action: Action,
    reason: z.literal("taken").optional().meta({
      description: "Another run has taken in what this one was asked; its metadata says so from then on.",
    }),
  })
  .refine(({ action, reason }) => reason === undefined || action !== "rollback", {
    path: ["reason"],
    message: "a run that is rolled back is gone, and cannot tell why",
  });
export const CancelManyQuery = z.strictObject({ action: Action });
export const StreamQuery = z.strictObject({
  namespace: List(z.string()).meta({
    description: "Only what these parts of the graph stream, and not what is below them; empty for its root.",
  }),
});
export const JoinQuery = z.strictObject({ cancel_on_disconnect: RepeatableFlag });
export const JoinStreamQuery = JoinQuery.extend({
  stream_mode: List(StreamMode),
  ...StreamQuery.shape,
  checkpoint_id: z.string().min(1).max(256).optional().meta({
    description:
      "Only what came after this checkpoint; all, if the run has not streamed it (in the modes checkpoints or debug).",
  }),
});
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
