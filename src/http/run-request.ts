/** What a run's body asks for, in core's terms. */

import type { z } from "zod";
import type { Graph } from "../core/graphs.ts";
import type { Invocation, JsonObject } from "../core/model.ts";
import type { RunRequest } from "../core/new-run.ts";
import type { RunAssistant } from "../core/run-assistants.ts";
import type { Command, Durability, RunSettings } from "../core/run-kwargs.ts";
import { checkWebhook, type WebhookPolicy } from "../core/webhooks.ts";
import { AppError } from "../errors.ts";
import { requireLevel } from "./authenticate.ts";
import { parse } from "./body.ts";
import { graphConfig } from "./native.ts";
import type { LangSmithTracer, RunCreateBody } from "./runs-schemas.ts";

export interface RequestedRun {
  readonly body: RunCreateBody;
  readonly threadId: string | undefined;
}

/** @throws AppError `forbidden`, `invalid_request` */
export async function toRequest(
  deps: { readonly webhookPolicy: WebhookPolicy },
  invocation: Pick<Invocation, "authLevel">,
  { body, threadId }: RequestedRun,
  assistant: RunAssistant,
): Promise<RunRequest> {
  const { graph, assistant_id } = assistant;
  requireLevel(graph.authLevel, invocation.authLevel);
  return {
    graph,
    assistant,
    input: await runInput(graph, body),
    config: graphConfig(body.config ?? {}, configurable(body, threadId)),
    metadata: { graph_id: graph.name, assistant_id, ...body.metadata },
    threadId,
    streamModes: [body.stream_mode ?? "values"].flat(),
    multitaskStrategy: body.multitask_strategy ?? "enqueue",
    settings: settings(body),
    createsThread: threadId === undefined || body.if_not_exists === "create",
    isKept: threadId === undefined && body.on_completion === "keep",
    afterSeconds: body.after_seconds ?? 0,
    webhook: body.webhook == null ? undefined : checkWebhook(body.webhook, deps.webhookPolicy),
  };
}

async function runInput(
  { inputSchema }: Graph,
  { input, command }: RunCreateBody,
): Promise<RunRequest["input"]> {
  const hasInput = input !== undefined && input !== null;
  if (!command) {
    // No input: the thread goes on from where it stands.
    return {
      input:
        hasInput && inputSchema !== undefined ? await parse(inputSchema, input, ["input"]) : (input ?? null),
    };
  }
  if (hasInput) throw new AppError("invalid_request", "command: give either an input or a command, not both");
  const { resume, update, goto } = command;
  const given: Command = {
    ...(resume === undefined ? {} : { resume }),
    ...(update == null ? {} : { update }),
    ...(goto == null ? {} : { goto }),
  };
  if (Object.keys(given).length === 0)
    throw new AppError("invalid_request", "command: needs resume, update or goto");
  return { command: given };
}

/** The thread is the path's; the checkpoint may be told in three places. */
function configurable(body: RunCreateBody, threadId: string | undefined): JsonObject {
  const { thread_id, ...rest } = body.config?.configurable ?? {};
  const checkpoint = "checkpoint" in body ? body.checkpoint : undefined;
  for (const [field, named] of [
    ["config.configurable.thread_id", thread_id],
    ["checkpoint.thread_id", checkpoint?.thread_id],
  ] as const) {
    if (named != null && named !== threadId)
      throw new AppError("invalid_request", `${field}: the run's thread is the one in the path`);
  }
  const told = {
    checkpoint_id: ("checkpoint_id" in body ? body.checkpoint_id : undefined) ?? checkpoint?.checkpoint_id,
    checkpoint_ns: checkpoint?.checkpoint_ns,
    checkpoint_map: checkpoint?.checkpoint_map,
  };
  return { ...rest, ...given(told), ...tracing(body.langsmith_tracer) };
}

/** Where LangSmith is told of the run. */
export function tracing(tracer: z.output<typeof LangSmithTracer>): JsonObject {
  return given({ langsmith_project: tracer?.project_name, langsmith_example_id: tracer?.example_id });
}

function given(members: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value != null));
}

function settings(body: RunCreateBody): RunSettings {
  const { context, interrupt_before, interrupt_after, stream_subgraphs } = body;
  const durability = body.durability ?? formerDurability(body.checkpoint_during);
  return {
    ...(context == null ? {} : { context }),
    ...(interrupt_before == null ? {} : { interrupt_before }),
    ...(interrupt_after == null ? {} : { interrupt_after }),
    ...(stream_subgraphs == null ? {} : { subgraphs: stream_subgraphs }),
    ...(durability === undefined ? {} : { durability }),
    ...(body.strict_resume === true ? { strict_resume: true } : {}),
  };
}

function formerDurability(during: boolean | null | undefined): Durability | undefined {
  if (during == null) return undefined;
  return during ? "async" : "exit";
}
