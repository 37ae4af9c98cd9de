/** Waiting for what may never come. */

import type { Clock } from "./clock.ts";

/** Whether `work` is done within `ms`, and before the signal aborts. Rejects when `work` does before that. */
export async function waitAtMost(
  ms: number,
  work: Promise<unknown>,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<boolean> {
  const over = new AbortController();
  const late = clock.sleep(ms, AbortSignal.any([signal, over.signal])).then(() => false);
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    over.abort();
  }
}
