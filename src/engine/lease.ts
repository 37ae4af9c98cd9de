/** Keeps the right to execute a run: renews the lease in good time, and says so when it is lost. */

import type { Clock } from "../clock.ts";
import type { HeldLease, Lease, RunStore } from "../core/ports.ts";
import { AppError } from "../errors.ts";

export interface LeaseDeps {
  readonly runs: RunStore;
  readonly clock: Clock;
  readonly leaseMs: number;
}

export function holdLease({ runs, clock, leaseMs }: LeaseDeps, lease: Lease): HeldLease {
  const lost = new AbortController();
  let validUntil = clock.now().getTime() + leaseMs;
  const renew = async (): Promise<void> => {
    const now = clock.now();
    const until = now.getTime() + leaseMs;
    try {
      if (await runs.renew(lease, { now, until: new Date(until) })) validUntil = until;
      else lost.abort(new AppError("unavailable", "The run was taken over by another instance"));
    } catch (error) {
      // A database that is away for some seconds is no reason to stop; a lease that has lapsed meanwhile is.
      if (clock.now().getTime() >= validUntil) {
        lost.abort(new AppError("unavailable", "The database could not be reached", { cause: error }));
      }
    }
  };
  const timer = clock.every(leaseMs / 3, renew);
  return { signal: lost.signal, [Symbol.dispose]: () => timer[Symbol.dispose]() };
}
