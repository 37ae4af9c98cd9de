/** A queue for one process, where the host has none. What it loses in a crash, the timer finds. */

import type { Clock } from "../clock.ts";
import { messageOf, type WakeUpQueue } from "../core/wake-ups.ts";

/** Messages that are worked at once. */
const CONCURRENCY = 20;

export function inProcessQueue(
  clock: Clock,
  work: (message: object) => Promise<void>,
  stopped: AbortSignal,
): WakeUpQueue {
  const waiting: object[] = [];
  let working = 0;
  /** Messages that are not due yet. */
  let held = 0;
  const next = async (): Promise<void> => {
    working += 1;
    for (let message = waiting.shift(); message && !stopped.aborted; message = waiting.shift()) {
      await work(message).catch(() => undefined); // the timer finds it
    }
    working -= 1;
  };
  const deliver = (message: object): void => {
    if (stopped.aborted) return;
    waiting.push(message);
    if (working < CONCURRENCY) void next();
  };
  return {
    outlivesProcess: () => false,
    check: async () => undefined,
    names: () => ({ system: "in_process", destination: "runs" }),
    depth: async () => ({ messages: waiting.length + held + working }),
    send: async (wakeUp, options = {}) => {
      const { notBefore } = options;
      const message = messageOf(wakeUp, options);
      if (notBefore === undefined || notBefore <= clock.now()) return deliver(message);
      held += 1;
      void clock.until(notBefore).then(() => {
        held -= 1;
        deliver(message);
      });
    },
  };
}
