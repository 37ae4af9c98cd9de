/** The rules of runs: one at a time on a thread, in the order they came, executed under a lease. */

import { EVERYTHING, type Caller } from "./auth.ts";
import type { Engine, Executed, ExecutionLimits } from "./execution.ts";
import { checkCommand } from "./graph-names.ts";
import type { Graph } from "./graphs.ts";
import { RepeatedRequest } from "./idempotency.ts";
import type { Logger } from "./logger.ts";
import type { CancelAction, CancelReason, Invocation } from "./model.ts";
import { newRun, type NewRunDeps, type RunRequest } from "./new-run.ts";
import type { Admission, ClaimedRun, ClaimStore, NewRun, RunSelection, RunStore } from "./ports.ts";
import { rootLifecycle } from "./protocol.ts";
import { tryEach } from "./try-each.ts";
import { forgottenSince, wake, wakeAnother, type WakeUpQueue, type WakingDeps } from "./wake-ups.ts";

/** How long a claim is good for without a sign of life, if no setting says otherwise. */
export const LEASE_MS = 30_000;
/** Claims that a run gets without getting anywhere before it is given up. */
const MAX_ATTEMPTS = 3;

export interface RunDeps extends NewRunDeps {
  readonly runs: RunStore;
  readonly claims: ClaimStore;
  readonly engine: Engine;
  readonly queue: WakeUpQueue;
  /** How long a claim is good for without a sign of life. */
  readonly leaseMs: number;
  readonly logger: Logger;
  /** What this process claims or executes just now, for a shutdown to wait for. */
  readonly running: Set<Promise<unknown>>;
  /** Aborted when this process is about to end: what breaks off then is no client that has left. */
  readonly stopping: AbortSignal;
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
  const lease = { run_id: asked.run_id, lease_id: deps.newId() };
  const { now, until } = leaseTerm(deps);
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
  return { run, claim: await deps.claims.claim(lease, leaseTerm(deps)) };
}

/** Of a lease that begins now. */
function leaseTerm({ clock, leaseMs }: Pick<RunDeps, "clock" | "leaseMs">) {
  const now = clock.now();
  return { now, until: new Date(now.getTime() + leaseMs) };
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
export async function executeClaimed(
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
export async function workRun(deps: RunDeps, run_id: string, { deadline }: Invocation): Promise<void> {
  deps.engine.prepare();
  const taken = await takeRun(deps, run_id, deadline === undefined ? {} : { deadline });
  await taken?.executing;
}

/** A run that waits is executed here; null for one that is not to be started. @throws AppError `unavailable` */
export async function takeRun(
  deps: RunDeps,
  run_id: string,
  limits: ExecutionLimits,
): Promise<{ readonly executing: Promise<Executed> } | null> {
  const take = async () => {
    const claim = await claimRun(deps, run_id);
    return claim === null ? null : { executing: executeClaimed(deps, claim, limits) };
  };
  // Waited for from here on: what is claimed while the process stops is put back as well.
  return awaited(deps.running, take());
}

async function claimRun(deps: RunDeps, run_id: string): Promise<ClaimedRun | null> {
  const claim = await deps.claims.claim({ run_id, lease_id: deps.newId() }, leaseTerm(deps));
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
 * forgotten, and found by a later tick. So is a run that cannot be given up, when its lease has lapsed once more.
 * @throws the first failure, when all have been tried
 */
export async function sweepRuns(deps: RunDeps & WakingDeps): Promise<SweepReport> {
  const { claims, newId, logger } = deps;
  const { waiting, exhausted, forgotten, abandoned } = await claims.recover(newId(), leaseTerm(deps), {
    maxAttempts: MAX_ATTEMPTS,
    forgottenSince: forgottenSince(deps),
  });
  for (const run_id of [...waiting, ...forgotten]) await wakeAnother(deps, { run_id });
  try {
    if (abandoned.length > 0) await cancelRuns(deps, { scope: EVERYTHING, runIds: abandoned }, "interrupt");
  } finally {
    await tryEach(
      exhausted,
      async (run) => giveUp(deps, run),
      ({ run_id }, err) =>
        logger.error({ run_id, err }, "A run could not be given up; a later tick tries again"),
    );
  }
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
