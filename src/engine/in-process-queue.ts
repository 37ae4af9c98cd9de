/** A run queue for one process, where the host has none. What it loses in a crash, the timer sends again. */

import type { Clock } from "../clock.ts";
import type { RunQueue } from "../core/ports.ts";

/** Runs that are worked at once. */
const CONCURRENCY = 20;

export function inProcessQueue(
  clock: Clock,
  work: (runId: string) => Promise<void>,
  stopped: AbortSignal,
): RunQueue {
  const waiting: string[] = [];
  let working = 0;
  const next = async (): Promise<void> => {
    working += 1;
    for (let runId = waiting.shift(); runId !== undefined && !stopped.aborted; runId = waiting.shift()) {
      await work(runId).catch(() => undefined); // the timer finds it
    }
    working -= 1;
  };
  const deliver = async (runId: string, delayMs: number): Promise<void> => {
    if (delayMs > 0) await clock.sleep(delayMs, stopped);
    waiting.push(runId);
    if (working < CONCURRENCY) void next();
  };
  return {
    send: async (runId, { notBefore } = {}) => {
      void deliver(runId, notBefore === undefined ? 0 : notBefore.getTime() - clock.now().getTime());
    },
  };
}
