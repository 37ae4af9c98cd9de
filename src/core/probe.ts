/** Asks something that may fail, hang or be dear, for those who only want to know how it is. */

import type { Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import type { Logger } from "./logger.ts";

export interface ProbeDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly newId: () => string;
}

export interface Question<Value> {
  readonly name: string;
  readonly timeoutMs: number;
  /** How old an answer may be. */
  readonly maxAgeMs: number;
  /** The signal aborts when nobody waits for it any more. */
  readonly ask: (signal: AbortSignal) => Promise<Value>;
}

export interface Answer<Value> {
  readonly checkedAt: Date;
  readonly latencyMs: number;
  /** Undefined when there was none. */
  readonly value?: Value;
  /** Why there was none, as far as it may be shown; the error itself is in the log. */
  readonly detail?: string;
}

/** A failure may be over soon, however dear it is to ask. */
const MAX_FAILURE_AGE_MS = 5_000;

/**
 * Whoever asks while an answer is on its way gets that one; whoever asks soon after gets the last one. What hangs is
 * asked again only when it has let go of the last question. Never rejects.
 */
export function probe<Value>(deps: ProbeDeps, question: Question<Value>): () => Promise<Answer<Value>> {
  const { clock } = deps;
  const ask = oneAtATime(question);
  let asking: Promise<Answer<Value>> | undefined;
  let last: Answer<Value> | undefined;
  return async () => {
    if (last !== undefined && isFresh(last, question.maxAgeMs, clock.now())) return last;
    asking ??= answered(deps, question, ask)
      .then((answer) => (last = answer))
      .finally(() => (asking = undefined));
    return asking;
  };
}

function isFresh({ checkedAt, detail }: Answer<unknown>, maxAgeMs: number, now: Date): boolean {
  const ageMs = now.getTime() - checkedAt.getTime();
  return ageMs < (detail === undefined ? maxAgeMs : Math.min(maxAgeMs, MAX_FAILURE_AGE_MS));
}

/** A question that has not been answered yet is not asked again beside it. */
function oneAtATime<Value>({ ask }: Question<Value>): Question<Value>["ask"] {
  let asked: Promise<Value> | undefined;
  return async (signal) => {
    asked ??= ask(signal).finally(() => (asked = undefined));
    return asked;
  };
}

async function answered<Value>(
  { clock, logger, newId }: ProbeDeps,
  { name, timeoutMs }: Question<Value>,
  ask: Question<Value>["ask"],
): Promise<Answer<Value>> {
  const began = clock.now();
  const timing = (): Pick<Answer<Value>, "checkedAt" | "latencyMs"> => {
    const checkedAt = clock.now();
    return { checkedAt, latencyMs: Math.max(0, checkedAt.getTime() - began.getTime()) };
  };
  try {
    const value = await withinTime(clock, timeoutMs, ask);
    return { ...timing(), value };
  } catch (error) {
    const error_id = newId();
    const reason = error instanceof AppError ? error.message : "It failed";
    logger.error({ error_id, check: name, err: error }, "A check of the status failed");
    return { ...timing(), detail: `${reason} (error id ${error_id})` };
  }
}

/** What does not look at its signal is not waited for either. @throws AppError `unavailable` when it takes too long */
async function withinTime<Value>(
  clock: Clock,
  timeoutMs: number,
  ask: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  const late = new AbortController();
  const answered = new AbortController();
  const timeout = async (): Promise<never> => {
    await clock.sleep(timeoutMs, answered.signal);
    const reason = new AppError("unavailable", `It has not answered within ${timeoutMs} ms`);
    if (!answered.signal.aborted) late.abort(reason);
    throw reason;
  };
  try {
    return await Promise.race([ask(late.signal), timeout()]);
  } finally {
    answered.abort();
  }
}
