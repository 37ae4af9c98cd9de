/** The time that one invocation has. */

import { setImmediate as nextTurn } from "node:timers/promises";
import { systemClock } from "../clock.ts";
import { AppError } from "../errors.ts";
import type { LambdaContext } from "./events.ts";

/** What a door needs to end its answer, and the answer to leave, before the sandbox is killed. */
const STOP_BEFORE_DEADLINE_MS = 1_500;

/**
 * Of the event loop, microseconds each, in which it learns of connections that were closed during the freeze: they are read,
 * then closed, then leave their pool. Else a statement would be sent on one of them, and fail.
 */
const TURNS_TO_THAW = 4;

export interface InvocationTime extends Disposable {
  /** Aborted shortly before the deadline. Lambda never tells that a client has left. */
  readonly signal: AbortSignal;
  readonly deadline: Date;
}

/**
 * The invocation, once the process knows what has happened to its connections while it was frozen. Dispose of it when the
 * invocation ends: a timer would go on in the next one. `patienceMs`: for how long its answer is waited for, if that is less.
 */
export async function openTime(context: LambdaContext, patienceMs = Infinity): Promise<InvocationTime> {
  for (let turn = 0; turn < TURNS_TO_THAW; turn += 1) await nextTurn();
  const remainingMs = Math.min(context.getRemainingTimeInMillis(), patienceMs);
  const deadline = new Date(systemClock.now().getTime() + remainingMs);
  const controller = new AbortController();
  const over = new AbortController();
  void systemClock.sleep(Math.max(1, remainingMs - STOP_BEFORE_DEADLINE_MS), over.signal).then(() => {
    if (!over.signal.aborted)
      controller.abort(new AppError("unavailable", "The time limit of the function is reached"));
  });
  return { signal: controller.signal, deadline, [Symbol.dispose]: () => over.abort() };
}
