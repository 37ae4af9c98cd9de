/** Crons that are due: each time becomes one run, on whichever instance and however many timers tick. */

import { AppError } from "../errors.ts";
import { inSpan } from "../telemetry.ts";
import { callerAs, type Caller } from "./auth.ts";
import type { Cron, CronCalendar, DueCron } from "./cron-store.ts";
import type { Logger } from "./logger.ts";
import { runAs, type RunAssistant, type RunAssistantDeps } from "./run-assistants.ts";
import type { RunRequest } from "./new-run.ts";
import { createRun, type RunDeps } from "./runs.ts";
import { timeAfter } from "./schedule.ts";

export interface CronFiringDeps extends RunDeps, RunAssistantDeps {
  readonly logger: Logger;
  readonly calendar: CronCalendar;
  /** The run that a cron asks for. @throws AppError when there is none: its graph is gone, or takes another input now */
  readonly requestOf: (
    cron: Cron,
    caller: Caller,
  ) => Promise<RunRequest & { readonly assistant: RunAssistant }>;
}

/** Why a due time makes no run here. */
class NoRun extends Error {
  override readonly name = "NoRun";
}

/**
 * Fires what is due, and sends wake-ups for the next times. What was missed while nothing ticked is made up for once,
 * not as many times as it was missed.
 * @returns how many runs were made, of how many crons that were due
 * @throws the first failure, when all have been tried
 */
export async function fireCrons(
  deps: CronFiringDeps,
  limit: number,
): Promise<{ readonly fired: number; readonly seen: number }> {
  const due = await deps.calendar.due(deps.clock.now(), limit);
  const nextTimes = new Map<number, Date>();
  const failures: unknown[] = [];
  let fired = 0;
  for (const cron of due) {
    try {
      const { hasMoved, hasRun, next } = await fireInSpan(deps, cron);
      if (hasRun) fired += 1;
      if (hasMoved && next !== null) nextTimes.set(next.getTime(), next);
    } catch (error) {
      const fields = { cron_id: cron.cron_id, err: error };
      deps.logger.error(fields, "A cron could not be fired; the next tick tries again");
      failures.push(error);
    }
  }
  for (const notBefore of nextTimes.values())
    await deps.queue.send({ tick: true }, { notBefore }).catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
  return { fired, seen: due.length };
}

interface Fired {
  /** Whether it was us who moved the cron on to its next time. */
  readonly hasMoved: boolean;
  readonly hasRun: boolean;
  readonly next: Date | null;
}

async function fireInSpan(deps: CronFiringDeps, cron: DueCron): Promise<Fired> {
  const { cron_id, assistant_id } = cron;
  const attributes = { "langgraph.cron_id": cron_id, "langgraph.assistant_id": assistant_id };
  return inSpan("fire cron", { attributes }, async (span) => {
    const fired = await fireOne(deps, cron);
    span.set({ "langgraph.has_run": fired.hasRun });
    return fired;
  });
}

/** A cron without a run that could be made goes on with its next time, and the log says why. */
async function fireOne(deps: CronFiringDeps, cron: DueCron): Promise<Fired> {
  const next = await nextTime(deps, cron);
  const caller = cronCaller(cron);
  const request = await deps.requestOf(cron, caller).catch((error: unknown) => {
    if (error instanceof AppError && error.code === "unavailable") throw error;
    return new NoRun("The cron asks for no run that can be made", { cause: error });
  });
  if (!(request instanceof NoRun))
    return runAs(deps, request.assistant, async (assistant) =>
      admit(
        deps,
        { cron, caller },
        next,
        assistant === request.assistant ? request : await deps.requestOf(cron, caller),
      ),
    );
  const { hasMoved } = await deps.calendar.fire(cron, next, deps.clock.now(), null);
  if (hasMoved) logRefusal(deps, cron, request.cause);
  return { hasMoved, hasRun: false, next };
}

/** On whose behalf its runs are made: what was allowed then is not asked about again. */
function cronCaller({ user_id: owner, principal, scopes }: DueCron): Caller {
  return callerAs({ owner, principal, scopes });
}

/** Through the door of every other run; that the run is stored and that the cron moves on is one transaction. */
async function admit(
  deps: CronFiringDeps,
  { cron, caller }: { readonly cron: DueCron; readonly caller: Caller },
  next: Date | null,
  request: RunRequest,
): Promise<Fired> {
  const { calendar, runs, logger } = deps;
  let hasMoved = false;
  let hasRun = false;
  const store: RunDeps["runs"]["admit"] = async (run, now) => {
    const fired = await calendar.fire(cron, next, now, run);
    hasMoved = fired.hasMoved;
    hasRun = hasMoved && fired.refusal === undefined;
    if (!hasRun) throw new NoRun("Refused, or fired by another process", { cause: fired.refusal });
    return { claim: null, metadata: run.metadata };
  };
  try {
    await createRun({ ...deps, runs: { ...runs, admit: store } }, caller, request);
  } catch (error) {
    if (!hasMoved && !(error instanceof NoRun)) throw error;
    if (hasRun)
      logger.warn(
        { cron_id: cron.cron_id, err: error },
        "A cron's run could not be woken; the timer will do it",
      );
    else if (hasMoved) logRefusal(deps, cron, error instanceof NoRun ? error.cause : error);
  }
  return { hasMoved, hasRun, next };
}

/** The next time after now, if the cron goes on until then. A schedule that is none any more has none. */
async function nextTime({ clock, logger }: CronFiringDeps, cron: Cron): Promise<Date | null> {
  try {
    const next = await timeAfter(cron, clock.now());
    return next !== null && (cron.end_time === null || next <= cron.end_time) ? next : null;
  } catch (error) {
    logger.error({ cron_id: cron.cron_id, err: error }, "A cron has stopped: its schedule cannot be read");
    return null;
  }
}

function logRefusal({ logger }: CronFiringDeps, cron: DueCron, reason: unknown): void {
  const { cron_id, assistant_id, thread_id, next_run_date } = cron;
  const fields = {
    cron_id,
    assistant_id,
    ...(thread_id === null ? {} : { thread_id }),
    due_at: next_run_date,
    reason: reason instanceof Error ? reason.message : String(reason),
    err: reason,
  };
  logger.warn(fields, "A cron made no run");
}
