/** Temporary threads that are gone. Their runs' logs outlive them; who may read those is who reached the thread. */

import type { Scope } from "./auth.ts";

export interface EndedThreads {
  /**
   * Whether a log of this thread is within reach: of one that is there, or of one that went with its only run. Of those
   * that were nobody's, nothing is known, so that only who reaches everything reads their logs.
   */
  readonly reaches: (threadId: string, scope: Scope) => Promise<boolean>;
  /** Forgets those that ended before, `limit` at most. @returns how many */
  readonly forget: (before: Date, limit: number) => Promise<number>;
}
