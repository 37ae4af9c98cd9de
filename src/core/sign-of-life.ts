/**
 * Signs of life: where a host does not see clients leave, a stream whose run is to end with its client is broken off from
 * time to time. A client that is there comes back, as it does after any loss of its connection; the run of one that does
 * not come back is cancelled.
 */

import type { Clock } from "../clock.ts";
import type { Invocation } from "./model.ts";
import type { Logger } from "./logger.ts";
import type { LeaseTerm } from "./ports.ts";
import type { WakeUpQueue } from "./wake-ups.ts";

/** Longer than the SDKs wait between several attempts to come back, with a cold start and a poor network. */
const GRACE_MS = 30_000;
/** However old the run is. */
const LONGEST_MS = 3_600_000;

/** Which runs wait for their client. Whoever executes or claims one, or sweeps, cancels it when its client is not back in time. */
export interface SignStore {
  /**
   * The run waits for its client, until then at least; one that has ended does not. Tells whether it was begun, and waits
   * for an executor.
   */
  readonly ask: (runId: string, term: LeaseTerm) => Promise<boolean>;
  /** The run waits no more: what has not been noticed yet is forgotten. */
  readonly given: (runId: string) => Promise<void>;
}

export interface SignDeps {
  readonly signs: SignStore;
  readonly queue: Pick<WakeUpQueue, "outlivesProcess">;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * How long a stream lasts before its client is to come back; undefined for as long as it may. As long again as the run is
 * old: what a client costs that has left is in proportion to what it has cost before, and clients give up after so many
 * interruptions. Without a queue, nobody could take over a run whose invocation ends with the stream.
 */
export function signDueMs(
  { queue, clock }: Pick<SignDeps, "queue" | "clock">,
  { signOfLifeMs }: Pick<Invocation, "signOfLifeMs">,
  createdAt: Date,
): number | undefined {
  if (signOfLifeMs === undefined || !queue.outlivesProcess()) return undefined;
  const ageMs = clock.now().getTime() - createdAt.getTime();
  return Math.max(signOfLifeMs, Math.min(ageMs, LONGEST_MS));
}

/**
 * The client is there, in time or not, who may have been asked for a sign of life before; its stream lasts for so long, if
 * it is one that is broken off. Until then, and for as long as it may take to come back, no other stream of the run makes
 * it wait less: one that the client has lost is broken off, too, when nobody reads it any more.
 * @returns of a stream that is broken off, whether its run has begun and nobody executes it; else false
 * @throws AppError `unavailable`
 */
export async function takeSign(
  { signs, queue, clock }: Pick<SignDeps, "signs" | "queue" | "clock">,
  { signOfLifeMs, deadline }: Pick<Invocation, "signOfLifeMs" | "deadline">,
  runId: string,
  afterMs?: number,
): Promise<boolean> {
  if (signOfLifeMs === undefined || !queue.outlivesProcess()) return false;
  if (afterMs === undefined) {
    await signs.given(runId);
    return false;
  }
  const now = clock.now();
  const cutAt = Math.min(now.getTime() + afterMs, deadline?.getTime() ?? Infinity);
  return signs.ask(runId, { now, until: new Date(cutAt + GRACE_MS) });
}

/** To be called before the stream is broken off. Never rejects: a run that nobody watches goes on to its end. */
export async function askForSign(
  { signs, clock, logger }: Pick<SignDeps, "signs" | "clock" | "logger">,
  run_id: string,
): Promise<void> {
  const now = clock.now();
  await signs
    .ask(run_id, { now, until: new Date(now.getTime() + GRACE_MS) })
    .catch((error: unknown) =>
      logger.warn({ run_id, err: error }, "A run goes on although its client may have left"),
    );
}
