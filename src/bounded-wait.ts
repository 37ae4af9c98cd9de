/** Waiting for what may never come. */

import type { Clock } from "./clock.ts";

/** Resolves when `work` does, after `ms`, or when the signal aborts. Rejects when `work` does before that. */
export async function waitAtMost(
  ms: number,
  work: Promise<unknown>,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  const over = new AbortController();
  const late = clock.sleep(ms, AbortSignal.any([signal, over.signal]));
  try {
    await Promise.race([work, late]);
  } finally {
    over.abort();
  }
}
