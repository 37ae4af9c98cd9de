/** The rules of runs: one at a time on a thread, in the order they came, executed under a lease. */

import type { Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import { assistantIdOf } from "./assistants.ts";
import type { Graph, GraphConfig } from "./graphs.ts";
import { isJsonObject, type Invocation, type JsonObject, type MultitaskStrategy } from "./model.ts";
import type {
  ClaimedRun,
  ClaimStore,
  Command,
  Engine,
  Executed,
  ExecutionLimits,
  NewRun,
  Outcome,
  RunQueue,
  RunRecord,
  RunStore,
  StreamMode,
} from "./ports.ts";

/** How long a claim is good for without a sign of life. */
export const LEASE_MS = 30_000;
/** Claims that a run gets without getting anywhere before it is given up. */
const MAX_ATTEMPTS = 3;
/** After this long without being claimed, a run's message is taken for lost. */
const FORGOTTEN_MS = 30_000;

export interface RunDeps {
  readonly runs: RunStore;
  readonly claims: ClaimStore;
  readonly engine: Engine;
  readonly queue: RunQueue;
  readonly clock: Clock;
  readonly newId: () => string;
  /** What this process executes just now, for a shutdown to wait for. */
  readonly running: Set<Promise<unknown>>;
}

export interface RunRequest {
  readonly graph: Graph;
  readonly input: { readonly input: unknown } | { readonly command: Command };
  readonly config: GraphConfig;
  readonly metadata: JsonObject;
  /** Without one, the run has a thread of its own, of which nothing is left when it has ended. */
  readonly threadId: string | undefined;
  readonly streamModes: readonly StreamMode[];
  readonly multitaskStrategy: MultitaskStrategy;
  /** For a caller who asks later: the run and its output stay, on a thread of its own if none was named. */
  readonly isKept?: boolean;
}

/** Stores a run for a worker, and wakes one. @throws AppError `thread_busy`, `unavailable` */
export async function createRun(deps: RunDeps, request: RunRequest): Promise<NewRun> {
  const run = newRun(deps, request);
  await deps.runs.admit(run, deps.clock.now());
  await deps.queue.send(run.run_id, { notBefore: run.due_at });
  return run;
}

export interface StartedRun {
  readonly run: NewRun;
  /** The run in our hands; null when it waits for another one of its thread. */
  readonly claim: ClaimedRun | null;
}

/** Stores a run, and claims it for this invocation if its thread is free. @throws AppError `thread_busy`, `unavailable` */
export async function startRun(deps: RunDeps, request: RunRequest): Promise<StartedRun> {
  const run = newRun(deps, request);
  const now = deps.clock.now();
  const claim = await deps.runs.admit(run, now, {
    lease_id: deps.newId(),
    until: new Date(now.getTime() + LEASE_MS),
  });
  return { run, claim };
}

/** A run of a graph, by its id. @throws AppError `not_found` */
export async function getRun(
  { runs }: Pick<RunDeps, "runs">,
  graph: Graph,
  runId: string,
): Promise<RunRecord> {
  const run = await runs.get(runId);
  if (run === null || run.graph_id !== graph.name)
    throw new AppError("not_found", `Run '${runId}' not found`);
  return run;
}

/** Asks a run to stop; one that has ended stays as it is. @throws AppError `not_found` */
export async function cancelRun(
  deps: Pick<RunDeps, "runs" | "clock">,
  graph: Graph,
  runId: string,
): Promise<RunRecord> {
  const run = await getRun(deps, graph, runId);
  await deps.runs.cancel(run.run_id, "interrupt", deps.clock.now());
  return run;
}

/** Executes a run that is in our hands; never rejects. */
export async function executeRun(
  { engine, running }: RunDeps,
  claim: ClaimedRun,
  limits: ExecutionLimits,
): Promise<Executed> {
  const execution = engine.execute(claim, limits);
  running.add(execution);
  try {
    return await execution;
  } finally {
    running.delete(execution);
  }
}

/** A message has come for a run: executes it, unless it is not to be started, which is no error. */
export async function workRun(deps: RunDeps, run_id: string, { deadline }: Invocation): Promise<void> {
  const now = deps.clock.now();
  const claim = await deps.claims.claim(
    { run_id, lease_id: deps.newId() },
    { now, until: new Date(now.getTime() + LEASE_MS) },
  );
  if (claim === null) return;
  // Handed over time and again without getting anywhere: that is no end that a lapsed lease would tell of.
  if (claim.attempt > MAX_ATTEMPTS) return giveUp(deps, { ...claim, attempt: claim.attempt - 1 });
  await executeRun(deps, claim, deadline === undefined ? {} : { deadline });
}

/**
 * The end of a run that was executed, or is executing elsewhere.
 * @throws AppError why it failed; `unavailable` when it goes on longer than the signal allows
 */
export async function outcomeOf(
  deps: RunDeps,
  run: NewRun,
  executed: Executed | null,
  signal: AbortSignal,
): Promise<Outcome> {
  if (executed?.kind === "ended") return executed.outcome;
  if (executed?.kind === "failed") throw executed.error;
  if (executed?.kind === "cancelled") throw new AppError("run_cancelled", "The run was cancelled");
  let output: unknown = null;
  for await (const { event, data } of deps.engine.follow(run, 0, signal)) {
    const chunk: unknown = JSON.parse(data);
    if (event === "error") throw failure(chunk);
    if (event === "values")
      output = isJsonObject(chunk) && INTERRUPT in chunk ? { ...asObject(output), ...chunk } : chunk;
  }
  if (signal.aborted) {
    throw new AppError("unavailable", "The run goes on in the background; ask for the thread's state");
  }
  return { status: isJsonObject(output) && INTERRUPT in output ? "interrupted" : "success", output };
}

const INTERRUPT = "__interrupt__";

function asObject(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}

export interface SweepReport {
  readonly recovered: number;
  readonly resent: number;
}

/** Puts back the runs whose executor vanished, gives up those that never get anywhere, and wakes what was forgotten. */
export async function sweepRuns(deps: RunDeps): Promise<SweepReport> {
  const { claims, clock, newId, queue } = deps;
  const now = clock.now();
  const term = { now, until: new Date(now.getTime() + LEASE_MS) };
  const { waiting, exhausted, forgotten } = await claims.recover(newId(), term, {
    maxAttempts: MAX_ATTEMPTS,
    forgottenSince: new Date(now.getTime() - FORGOTTEN_MS),
  });
  for (const runId of [...waiting, ...forgotten]) await queue.send(runId);
  for (const run of exhausted) await giveUp(deps, run);
  return { recovered: waiting.length + exhausted.length, resent: forgotten.length };
}

async function giveUp({ claims, clock, queue }: RunDeps, run: ClaimedRun): Promise<void> {
  const error = `Given up after ${run.attempt} attempts: the executor vanished or ran out of time in each`;
  const event = {
    seq: run.last_seq + GIVEN_UP_GAP,
    event: "error",
    data: JSON.stringify({ error: "timeout", message: error }),
  };
  const { next } = await claims.finish(run, { status: "error", thread_status: "error", error }, clock.now(), [
    event,
  ]);
  if (next !== undefined) await queue.send(next);
}

/** Beyond what the vanished executors may have numbered. */
const GIVEN_UP_GAP = 1_000_000;

function newRun(
  { newId, clock }: RunDeps,
  { graph, input, config, metadata, ...request }: RunRequest,
): NewRun {
  const run_id = newId();
  return {
    run_id,
    thread_id: request.threadId ?? newId(),
    assistant_id: assistantIdOf(graph.name),
    graph_id: graph.name,
    metadata,
    kwargs: {
      ...input,
      config: mergedConfig(graph, config, metadata),
      stream_mode: request.streamModes,
      ...(request.isKept === true ? { keeps_output: true } : {}),
    },
    multitask_strategy: request.multitaskStrategy,
    due_at: clock.now(),
    is_temporary: request.threadId === undefined && request.isKept !== true,
    creates_thread: true,
  };
}

/** The graph's defaults, and the request's config over them. */
function mergedConfig(graph: Graph, config: GraphConfig, metadata: JsonObject): GraphConfig {
  return {
    ...graph.config,
    ...config,
    configurable: { ...graph.config?.configurable, ...config.configurable },
    metadata: { ...graph.config?.metadata, ...config.metadata, ...metadata },
  };
}

/** Of the event that tells of it; the cause was logged where the run executed. */
function failure(event: unknown): AppError {
  const { message } = asObject(event);
  return new AppError("graph_failed", String(message), { errorId: "in the message" });
}
