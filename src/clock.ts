/** The only source of time: everything that waits or compares times takes a `Clock`. */

export interface Clock {
  readonly now: () => Date;
  /** Calls `task` every `intervalMs` until disposed; a call that is still running is not overlapped. */
  readonly every: (intervalMs: number, task: () => Promise<void>) => Disposable;
}

export const systemClock: Clock = {
  now: () => new Date(),
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
