/** The rules of runs: one at a time on a thread, in the order they came, executed under a lease. */

import type { Clock } from "../clock.ts";
import { activeTrace } from "../telemetry.ts";
import { EVERYTHING, principalOf, type Caller } from "./auth.ts";
import { assistantIdOf } from "./assistants.ts";
import { checkCommand } from "./graph-names.ts";
import { mergeConfigs, type GraphConfig } from "./config.ts";
import type { Engine, Executed, ExecutionLimits } from "./execution.ts";
import type { Graph } from "./graphs.ts";
import type { RunAssistant } from "./run-assistants.ts";
import { isJsonObject } from "./model.ts";
import { RepeatedRequest, type Idempotency } from "./idempotency.ts";
import type {
  CancelAction,
  CancelReason,
  Invocation,
  JsonObject,
  MultitaskStrategy,
  ThreadTtl,
} from "./model.ts";
import type { Admission, ClaimedRun, ClaimStore, NewRun, RunSelection, RunStore } from "./ports.ts";
import type { Logger } from "./logger.ts";
import { grantRun } from "./run-grant.ts";
import { rootLifecycle } from "./protocol.ts";
import {
  keptContext,
  type Command,
  type RunKwargs,
  type RunSettings,
  type StreamMode,
} from "./run-kwargs.ts";
import { forgottenSince, wake, wakeAnother, type WakeUpQueue, type WakingDeps } from "./wake-ups.ts";

/** How long a claim is good for without a sign of life, if no setting says otherwise. */
export const LEASE_MS = 30_000;
/** Claims that a run gets without getting anywhere before it is given up. */
const MAX_ATTEMPTS = 3;

export interface RunDeps {
  readonly runs: RunStore;
  readonly claims: ClaimStore;
  readonly engine: Engine;
  readonly queue: WakeUpQueue;
  readonly clock: Clock;
  readonly newId: () => string;
  /** How long a claim is good for without a sign of life. */
  readonly leaseMs: number;
  /** Active runs that one caller may have; undefined for any number. */
  readonly maxRuns?: number | undefined;
  /** For threads that runs make; undefined for ever. */
  readonly threadTtl?: ThreadTtl | undefined;
  readonly logger: Logger;
  /** What this process claims or executes just now, for a shutdown to wait for. */
  readonly running: Set<Promise<unknown>>;
  /** Aborted when this process is about to end: what breaks off then is no client that has left. */
  readonly stopping: AbortSignal;
}

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

/**
 * Stores a run for a worker, and wakes one.
 * @throws AppError `forbidden`, `not_found`, `thread_busy`; `unavailable`, and then nothing is stored
 */
export async function createRun(deps: RunDeps, caller: Caller, request: RunRequest): Promise<NewRun> {
  const asked = await newRun(deps, caller, request);
  await checkRun(request.graph, asked);
  await deps.queue.check();
  let run: NewRun;
  try {
    const { metadata } = await deps.runs.admit(asked, asked.created_at);
    run = { ...asked, metadata };
  } catch (error) {
    return firstRun(deps, asked, error);
  }
  await makeWay(deps, run);
  await wake(deps, { run_id: run.run_id }, run.due_at);
  return run;
}

/** Only a command that names something needs the graph. @throws AppError `invalid_request` */
async function checkRun(graph: Graph, { kwargs: { command, config }, thread_id }: NewRun): Promise<void> {
  if (command?.goto === undefined && command?.update === undefined) return;
  const configurable = { ...config.configurable, thread_id };
  checkCommand(await graph.load({ ...config, configurable }), command);
}

export interface StartedRun {
  readonly run: NewRun;
  /** The run in our hands; null when it waits for another one of its thread. */
  readonly claim: ClaimedRun | null;
}

/**
 * Stores a run, and claims it for this invocation if its thread is free.
 * @throws AppError `forbidden`, `not_found`, `thread_busy`, `unavailable`
 */
export async function startRun(deps: RunDeps, caller: Caller, request: RunRequest): Promise<StartedRun> {
  deps.engine.prepare();
  request.graph.preload();
  const asked = await newRun(deps, caller, request);
  await checkRun(request.graph, asked);
  const now = deps.clock.now();
  const lease = { run_id: asked.run_id, lease_id: deps.newId() };
  const until = new Date(now.getTime() + deps.leaseMs);
  if (asked.due_at > now) await deps.queue.check();
  let admission: Admission;
  try {
    admission = await deps.runs.admit(asked, now, { lease_id: lease.lease_id, until });
  } catch (error) {
    return { run: await firstRun(deps, asked, error), claim: null };
  }
  const { claim, metadata } = admission;
  const run = { ...asked, metadata };
  if (claim !== null) return { run, claim };
  await makeWay(deps, run);
  if (run.due_at > now) {
    await wake(deps, { run_id: run.run_id }, run.due_at);
    return { run, claim: null };
  }
  return { run, claim: await deps.claims.claim(lease, { now: deps.clock.now(), until }) };
}

/** The run that was asked for before, as that answer had it. Its message may have got lost with the answer. */
async function firstRun(deps: RunDeps, run: NewRun, error: unknown): Promise<NewRun> {
  if (!(error instanceof RepeatedRequest) || error.first.run_id === null) throw error;
  const { run_id, thread_id, created_at } = error.first;
  await wake(deps, { run_id });
  const metadata = (await deps.runs.get(run_id, run.scope))?.metadata ?? {
    ...run.assistant_metadata,
    ...run.metadata,
  };
  return { ...run, run_id, thread_id, created_at, metadata, is_repeat: true };
}

/**
 * Stops what the thread was doing, if the new run is to take its place. Of two that come at once, admission has
 * decided which one was first: it makes way for the other. It has also decided that the thread is within reach.
 */
async function makeWay(deps: CancelDeps, { run_id, thread_id, multitask_strategy }: NewRun): Promise<void> {
  switch (multitask_strategy) {
    case "interrupt":
    case "rollback":
      await cancelRuns(deps, { scope: EVERYTHING, threadId: thread_id, before: run_id }, multitask_strategy);
      return;
    case "enqueue":
    case "reject":
  }
}

export type CancelDeps = Pick<RunDeps, "runs" | "queue" | "clock" | "logger">;

/** Asks active runs to stop, and wakes those that come next, or that wait for an executor to stop them. Their metadata keeps the reason. */
export async function cancelRuns(
  deps: CancelDeps,
  which: RunSelection,
  action: CancelAction,
  reason?: CancelReason,
): Promise<void> {
  for (const wakeUp of await deps.runs.cancel(which, action, deps.clock.now(), reason))
    await wakeAnother(deps, wakeUp);
}

/** Executes a run that is in our hands; never rejects. */
export async function executeRun(
  { engine, running }: RunDeps,
  claim: ClaimedRun,
  limits: ExecutionLimits,
): Promise<Executed> {
  return awaited(running, engine.execute(claim, limits));
}

/** For a shutdown to wait for as well. */
async function awaited<Result>(running: Set<Promise<unknown>>, work: Promise<Result>): Promise<Result> {
  running.add(work);
  try {
    return await work;
  } finally {
    running.delete(work);
  }
}

/** A message has come for a run: executes it, unless it is not to be started, which is no error. */
export async function workRun(deps: RunDeps, run_id: string, invocation: Invocation): Promise<void> {
  deps.engine.prepare();
  // Waited for from here on: what is claimed while the process stops is put back as well.
  await awaited(deps.running, claimAndExecute(deps, run_id, invocation));
}

async function claimAndExecute(deps: RunDeps, run_id: string, { deadline }: Invocation): Promise<void> {
  const claim = await claimRun(deps, run_id);
  if (claim !== null) await executeRun(deps, claim, deadline === undefined ? {} : { deadline });
}

/** A run that waits, in our hands; null when it is not to be started. @throws AppError `unavailable` */
export async function claimRun(deps: RunDeps, run_id: string): Promise<ClaimedRun | null> {
  const now = deps.clock.now();
  const claim = await deps.claims.claim(
    { run_id, lease_id: deps.newId() },
    { now, until: new Date(now.getTime() + deps.leaseMs) },
  );
  if (claim === null || claim.attempt <= MAX_ATTEMPTS) return claim;
  // Handed over time and again without getting anywhere: that is no end that a lapsed lease would tell of.
  await giveUp(deps, { ...claim, attempt: claim.attempt - 1 });
  return null;
}

export interface SweepReport {
  readonly recovered: number;
  readonly resent: number;
}

/**
 * Puts back the runs whose executor vanished, gives up those that never get anywhere, cancels those whose client has left
 * while they wait, and wakes what was forgotten. A message that cannot be sent keeps no other from being sent; its run is
 * forgotten, and found by a later tick.
 */
export async function sweepRuns(deps: RunDeps & WakingDeps): Promise<SweepReport> {
  const { claims, clock, newId } = deps;
  const now = clock.now();
  const term = { now, until: new Date(now.getTime() + deps.leaseMs) };
  const { waiting, exhausted, forgotten, abandoned } = await claims.recover(newId(), term, {
    maxAttempts: MAX_ATTEMPTS,
    forgottenSince: forgottenSince(deps),
  });
  for (const run_id of [...waiting, ...forgotten]) await wakeAnother(deps, { run_id });
  for (const run of exhausted) await giveUp(deps, run);
  if (abandoned.length > 0) await cancelRuns(deps, { scope: EVERYTHING, runIds: abandoned }, "interrupt");
  return { recovered: waiting.length + exhausted.length, resent: forgotten.length };
}

async function giveUp(deps: RunDeps, run: ClaimedRun): Promise<void> {
  const error = `Given up after ${run.attempt} attempts: the executor vanished or ran out of time in each`;
  const event = {
    seq: run.last_seq + GIVEN_UP_GAP,
    event: "error",
    data: JSON.stringify({ error: "timeout", message: error }),
  };
  const now = deps.clock.now();
  const failed = rootLifecycle("failed", run.graph_id, now, error);
  const lifecycle = { seq: event.seq + 1, event: failed.event, data: JSON.stringify(failed.data) };
  const events = run.kwargs.protocol === undefined ? [event] : [event, lifecycle];
  const end = { status: "error", thread_status: "error", error } as const;
  const { held, next } = await deps.claims.finish(run, end, now, events);
  if (next !== undefined) await wakeAnother(deps, { run_id: next });
  if (held && run.kwargs.webhook !== undefined) await wake(deps, { webhook_id: run.run_id });
}

/** Beyond what the vanished executors may have numbered. */
const GIVEN_UP_GAP = 1_000_000;

/** Those that nobody asks for just now, as of crons, are not counted. */
function counted(max: number | undefined, { identity }: RunRequest): Pick<NewRun, "counted"> {
  return max === undefined || identity === undefined ? {} : { counted: { identity: identity(), max } };
}

/** The run as it may be made. @throws AppError `forbidden` */
async function newRun(
  { newId, clock, threadTtl, maxRuns }: RunDeps,
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
