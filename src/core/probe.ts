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

/** What has not let go of a question for so long has lost it, as a socket does that dies while the host is frozen. */
const LOST_MS = 60_000;

/**
 * Whoever asks while an answer is on its way gets that one; whoever asks soon after gets the last one. What hangs is
 * asked again when it has let go of the last question, or after a minute. Never rejects.
 */
export function probe<Value>(deps: ProbeDeps, question: Question<Value>): () => Promise<Answer<Value>> {
  const { clock } = deps;
  const ask = oneAtATime(question, clock);
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

/** A question that has not been answered yet is not asked again beside it, while there is hope. */
function oneAtATime<Value>({ ask }: Question<Value>, clock: Clock): Question<Value>["ask"] {
  let asked: { readonly at: Date; readonly answer: Promise<Value> } | undefined;
  return async (signal) => {
    const now = clock.now();
    if (asked !== undefined && now.getTime() - asked.at.getTime() < LOST_MS) return asked.answer;
    const answer = ask(signal).finally(() => {
      if (asked?.answer === answer) asked = undefined;
    });
    asked = { at: now, answer };
    return answer;
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
