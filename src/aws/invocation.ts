/** The time that one invocation has. */

import { systemClock } from "../clock.ts";
import { AppError } from "../errors.ts";
import type { LambdaContext } from "./events.ts";

/** What a door needs to end its answer, and the answer to leave, before the sandbox is killed. */
const STOP_BEFORE_DEADLINE_MS = 1_500;

export interface InvocationTime extends Disposable {
  /** Aborted shortly before the deadline. Lambda never tells that a client has left. */
  readonly signal: AbortSignal;
  readonly deadline: Date;
}

/** Dispose of it when the invocation ends: a timer would go on in the next one. */
export function openTime(context: LambdaContext): InvocationTime {
  const remainingMs = context.getRemainingTimeInMillis();
  const deadline = new Date(systemClock.now().getTime() + remainingMs);
  const controller = new AbortController();
  const timer = systemClock.every(Math.max(1, remainingMs - STOP_BEFORE_DEADLINE_MS), async () => {
    controller.abort(new AppError("unavailable", "The time limit of the function is reached"));
  });
  return { signal: controller.signal, deadline, [Symbol.dispose]: () => timer[Symbol.dispose]() };
}
