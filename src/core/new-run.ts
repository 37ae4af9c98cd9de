/** What a run is made of: what was asked for, over what its assistant has. */

import type { Clock } from "../clock.ts";
import { activeTrace } from "../telemetry.ts";
import { assistantIdOf } from "./default-assistants.ts";
import { principalOf, type Caller } from "./auth.ts";
import { mergeConfigs, type GraphConfig } from "./config.ts";
import type { Graph } from "./graphs.ts";
import type { Idempotency } from "./idempotency.ts";
import { isJsonObject, type JsonObject, type MultitaskStrategy, type ThreadTtl } from "./model.ts";
import type { NewRun } from "./ports.ts";
import type { RunAssistant } from "./run-assistants.ts";
import { grantRun } from "./run-grant.ts";
import {
  keptContext,
  type Command,
  type RunKwargs,
  type RunSettings,
  type StreamMode,
} from "./run-kwargs.ts";

export interface RunRequest {
  readonly graph: Graph;
  /** Whose configuration the run takes over; the graph's as it is registered if absent. */
  readonly assistant?: RunAssistant;
  readonly input: { readonly input: unknown } | { readonly command: Command };
  readonly config: GraphConfig;
  readonly metadata: JsonObject;
  /** Without one, the run has a thread of its own, of which nothing is left when it has ended. */
  readonly threadId: string | undefined;
  readonly streamModes: readonly StreamMode[];
  readonly multitaskStrategy: MultitaskStrategy;
  /** For a caller who asks later: the run and its output stay, on a thread of its own if none was named. */
  readonly isKept?: boolean;
  readonly settings?: RunSettings;
  /** Is told when the run has ended. */
  readonly webhook?: string | undefined;
  /** Whether a thread that does not exist is made; true if absent. */
  readonly createsThread?: boolean;
  /** When the run may start; now if absent. */
  readonly afterSeconds?: number;
  readonly idempotency?: Idempotency | undefined;
  /** Whose run it counts as, where callers may only have so many; of nobody if absent. */
  readonly identity?: () => string;
  /** From the graph's context factory. */
  readonly madeContext?: unknown;
  /** For the graph's config. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether its client is asked for signs of life. */
  readonly endsWithClient?: boolean;
  /** While a run with this one is active on the thread, there is no other. */
  readonly commandKey?: string;
}

export interface NewRunDeps {
  readonly clock: Clock;
  readonly newId: () => string;
  /** Active runs that one caller may have; undefined for any number. */
  readonly maxRuns?: number | undefined;
  /** For threads that runs make; undefined for ever. */
  readonly threadTtl?: ThreadTtl | undefined;
}

/** The run as it may be made. @throws AppError `forbidden` */
export async function newRun(
  { newId, clock, threadTtl, maxRuns }: NewRunDeps,
  caller: Caller,
  request: RunRequest,
): Promise<NewRun> {
  const { graph, assistant, multitaskStrategy: multitask_strategy } = request;
  const run_id = newId();
  const now = clock.now();
  const { value, scope } = await grantRun(caller, {
    thread_id: request.threadId ?? null,
    run_id,
    assistant_id: assistant?.assistant_id ?? assistantIdOf(graph.name),
    status: "pending",
    metadata: { ...request.metadata },
    kwargs: kwargsOf(request),
    multitask_strategy,
    prevent_insert_if_inflight: multitask_strategy === "reject",
    if_not_exists: request.createsThread === false ? "reject" : "create",
    after_seconds: request.afterSeconds ?? 0,
  });
  const { assistant_id, metadata } = value;
  return {
    run_id,
    // A thread that is made for a run has its id: the log of a stateless run is found when both are gone.
    thread_id: request.threadId ?? run_id,
    owner: caller.owner,
    scope,
    assistant_id,
    assistant_version: assistant?.version,
    graph_id: graph.name,
    metadata,
    assistant_metadata: assistant?.metadata,
    kwargs: keptKwargs(caller, request, value.kwargs, metadata),
    multitask_strategy,
    idempotency: request.idempotency,
    created_at: now,
    due_at: new Date(now.getTime() + (request.afterSeconds ?? 0) * 1_000),
    is_temporary: request.threadId === undefined && request.isKept !== true,
    creates_thread: request.createsThread ?? true,
    thread_ttl: threadTtl,
    // What the handler of the event has left there is what its filters look for later.
    thread_metadata: caller.owner !== null && scope.owner === undefined ? metadata : undefined,
    command_key: request.commandKey,
    ...counted(maxRuns, request),
  };
}

/** Those that nobody asks for just now, as of crons, are not counted. */
function counted(max: number | undefined, { identity }: RunRequest): Pick<NewRun, "counted"> {
  return max === undefined || identity === undefined ? {} : { counted: { identity: identity(), max } };
}

/** What the handler of the event is asked about, and may change. */
function kwargsOf(request: RunRequest): RunKwargs {
  const { graph, assistant, input, config, webhook } = request;
  return {
    ...input,
    config: mergeConfigs(assistant?.config ?? graph.config ?? {}, config),
    stream_mode: request.streamModes,
    ...request.settings,
    ...mergedContext(request),
    ...(request.isKept === true ? { keeps_output: true } : {}),
    ...(webhook === undefined ? {} : { webhook }),
  };
}

function keptKwargs(
  caller: Caller,
  { assistant, madeContext, headers, endsWithClient }: RunRequest,
  kwargs: RunKwargs,
  metadata: JsonObject,
): RunKwargs {
  const principal = principalOf(caller);
  const traceparent = activeTrace()?.traceparent;
  return {
    ...kwargs,
    config: mergeConfigs(kwargs.config, { metadata: { ...assistant?.metadata, ...metadata } }),
    ...(madeContext === undefined ? {} : { made_context: keptContext(madeContext) }),
    ...(headers === undefined ? {} : { request_headers: headers }),
    ...(principal === undefined ? {} : { principal }),
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(endsWithClient === true ? { ends_with_client: true } : {}),
  };
}

/** The assistant's, and the request's over it. As on the official server, a run of an assistant is never without. */
function mergedContext({ graph, assistant, settings }: RunRequest): Pick<RunSettings, "context"> {
  const context = assistant?.context ?? graph.assistantContext;
  if (context === undefined) return {};
  return { context: { ...context, ...(isJsonObject(settings?.context) ? settings.context : {}) } };
}
