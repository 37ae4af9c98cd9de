/** The SQL of how long a thread is kept. */

import sql, { type Sql } from "sql-template-tag";
import type { ThreadTtl } from "../core/model.ts";

/** The values of `ttl_minutes`, `ttl_strategy` and `expires_at`. */
export function lifetime(ttl: ThreadTtl | undefined, now: Date): Sql {
  return sql`${ttl?.ttl_minutes ?? null}::float8, ${ttl?.strategy ?? null}::text, ${expiry(ttl, now)}::timestamptz`;
}

export function expiry(ttl: ThreadTtl | undefined, now: Date): Date | null {
  return ttl === undefined ? null : new Date(now.getTime() + ttl.ttl_minutes * 60_000);
}

/** Of a new thread: the log of a run without a thread outlives it, under an id that a client may take for a thread. */
export function loggedSeq(threadId: string): Sql {
  return sql`coalesce((select max(e.seq) from langgraph.events e where e.thread_id = ${threadId}), 0)`;
}
