/**
 * A dead man's switch: while a process executes runs, a wake-up for a tick is always on its way that comes soon after
 * its last lease would lapse. If the process dies, that tick finds its runs; if not, it finds nothing.
 */

import type { Clock } from "../clock.ts";
import type { ClaimStore, RunStore } from "./ports.ts";
import type { Logger } from "./logger.ts";
import type { WakeUpQueue } from "./wake-ups.ts";

/** The clocks of two processes may differ by this much. */
const SKEW_MS = 1_000;
/** Most runs have ended before: they need no alarm, and the first one of a cold start is not slowed by the queue's client. */
const GRACE_MS = 200;
/** After an alarm that could not be sent. */
const RETRY_MS = 5_000;

export interface AlarmDeps {
  readonly queue: WakeUpQueue;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly leaseMs: number;
  /** Whether this process executes a run just now. */
  readonly isExecuting: () => boolean;
}

/** To be told until when each lease of this process holds; never waits, never throws. */
export type Alarm = (until: Date) => void;

/** One message for each half of a lease, however many runs the process executes. */
export function openAlarm({ queue, clock, logger, leaseMs, isExecuting }: AlarmDeps): Alarm {
  let heldUntil = 0;
  /** When the latest alarm comes. */
  let comesAt = 0;
  let mayTryAt = 0;
  let isArming = false;
  const arm = async (): Promise<void> => {
    const now = clock.now().getTime();
    await clock.until(new Date(Math.max(now + GRACE_MS, mayTryAt)));
    if (!isExecuting()) return;
    const notBefore = new Date(heldUntil + SKEW_MS + leaseMs / 2);
    try {
      await queue.send({ tick: true }, { notBefore });
      comesAt = notBefore.getTime();
    } catch (error) {
      mayTryAt = clock.now().getTime() + RETRY_MS;
      logger.warn(
        { err: error },
        "No wake-up could be sent ahead; if this process dies, the timer finds its runs",
      );
    }
  };
  return (until) => {
    heldUntil = Math.max(heldUntil, until.getTime());
    if (isArming || comesAt >= heldUntil + SKEW_MS || !queue.outlivesProcess()) return;
    isArming = true;
    void arm().finally(() => (isArming = false));
  };
}

/** The claims, with each lease told to the alarm. */
export function claimsWithAlarm(claims: ClaimStore, alarm: Alarm): ClaimStore {
  return {
    ...claims,
    claim: async (lease, term) => {
      const claimed = await claims.claim(lease, term);
      if (claimed !== null) alarm(term.until);
      return claimed;
    },
    beat: async (run, term, events) => {
      const answer = await claims.beat(run, term, events);
      if (answer.held) alarm(term.until);
      return answer;
    },
  };
}

/** The runs, with the lease of each that is stored already claimed told to the alarm. */
export function runsWithAlarm(runs: RunStore, alarm: Alarm): RunStore {
  return {
    ...runs,
    admit: async (run, now, claim) => {
      const admission = await runs.admit(run, now, claim);
      if (admission.claim !== null && claim !== undefined) alarm(claim.until);
      return admission;
    },
  };
}
