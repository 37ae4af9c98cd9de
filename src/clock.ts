/** The only source of time: everything that waits or compares times takes a `Clock`. */

import { setTimeout as delay } from "node:timers/promises";

export interface Clock {
  readonly now: () => Date;
  /** Resolves after `ms`, or at once when the signal aborts; never rejects. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** Calls `task` every `intervalMs` until disposed; a call that is still running is not overlapped. */
  readonly every: (intervalMs: number, task: () => Promise<void>) => Disposable;
}

export const systemClock: Clock = {
  now: () => new Date(),
  sleep: async (ms, signal) => {
    const options = signal === undefined ? {} : { signal };
    await delay(ms, undefined, options).catch(() => undefined);
  },
  every: (intervalMs, task) => {
    let running = false;
    const timer = setInterval(() => {
      if (running) return;
      running = true;
      void task().finally(() => {
        running = false;
      });
    }, intervalMs);
    timer.unref();
    return { [Symbol.dispose]: () => clearInterval(timer) };
  },
};
