/** Recording what became of a run. */

import type { Clock } from "../clock.ts";
import { AppError } from "../errors.ts";

/** How long an executor tries while the database is away; after that, the lease tells. */
const PERSIST_MS = 5_000;
const RETRY_MS = 250;

/** Tries again while the database is away and the lease may still be ours. */
export async function persist<T>(
  { clock, shutdown }: { readonly clock: Clock; readonly shutdown: AbortSignal },
  write: () => Promise<T>,
): Promise<T> {
  const giveUp = clock.now().getTime() + PERSIST_MS;
  for (;;) {
    try {
      return await write();
    } catch (error) {
      if (!isUnavailable(error) || clock.now().getTime() > giveUp || shutdown.aborted) throw error;
      await clock.sleep(RETRY_MS);
    }
  }
}

export function isUnavailable(error: unknown): boolean {
  return error instanceof AppError && error.code === "unavailable";
}
