/** The time that an invocation has for a run. */

import type { Clock } from "../clock.ts";

/** The invocation has no time left: what is not finished is done again by the next one. */
export class OutOfTime extends Error {
  override readonly name = "OutOfTime";
}

export interface WatchedTime extends Disposable {
  /** Aborts when the graph should stop at its next superstep boundary. */
  readonly short: AbortSignal;
  /** Aborts when it must stop where it is. */
  readonly up: AbortSignal;
}

/** Leaves room before the deadline: for a superstep to end, then for writing things down. */
export function watchTime(clock: Clock, deadline: Date | undefined): WatchedTime {
  const short = new AbortController();
  const up = new AbortController();
  const over = new AbortController();
  const abortIn = async (ms: number, controller: AbortController): Promise<void> => {
    await clock.sleep(Math.max(0, ms), over.signal);
    if (!over.signal.aborted) controller.abort(new OutOfTime("The invocation has no time left"));
  };
  if (deadline !== undefined) {
    const remaining = deadline.getTime() - clock.now().getTime();
    void abortIn(remaining - Math.min(SUPERSTEP_ROOM_MS, remaining * 0.4), short);
    void abortIn(remaining - Math.min(RECORD_ROOM_MS, remaining * 0.1), up);
  }
  return { short: short.signal, up: up.signal, [Symbol.dispose]: () => over.abort() };
}

const SUPERSTEP_ROOM_MS = 30_000;
const RECORD_ROOM_MS = 5_000;
