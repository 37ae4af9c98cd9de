/** The only source of time: everything that waits or compares times takes a `Clock`. */

import { setTimeout as delay } from "node:timers/promises";

export interface Clock {
  readonly now: () => Date;
  /** Resolves after `ms`, or at once when the signal aborts; never rejects. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** Resolves at `time`, however far away, or when the signal aborts; never rejects. Keeps no process alive. */
  readonly until: (time: Date, signal?: AbortSignal) => Promise<void>;
  /** Calls `task`, which must not reject, every `intervalMs` until disposed; a call that is still running is not overlapped. */
  readonly every: (intervalMs: number, task: () => Promise<void>) => Disposable;
}

/** The longest that Node's timers can wait: 24.8 days. */
const MAX_DELAY_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => new Date(),
  sleep: async (ms, signal) => {
    const options = signal === undefined ? {} : { signal };
    await delay(ms, undefined, options).catch(() => undefined);
  },
  until: async (time, signal) => {
    const options = signal === undefined ? { ref: false } : { ref: false, signal };
    const remaining = (): number =>
      signal?.aborted === true ? 0 : time.getTime() - systemClock.now().getTime();
    for (let ms = remaining(); ms > 0; ms = remaining()) {
      await delay(Math.min(ms, MAX_DELAY_MS), undefined, options).catch(() => undefined);
    }
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
