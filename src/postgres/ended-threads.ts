/** The SQL of temporary threads that are gone. */

import sql, { empty, type Sql } from "sql-template-tag";
import type { EndedThreads } from "../core/ended-threads.ts";
import { within } from "./access.ts";
import { removeBatch } from "./remove-batch.ts";
import { rows, type Db } from "./sql.ts";

export function endedThreads(db: Db): EndedThreads {
  return {
    reaches: async (threadId, scope) => {
      const [found] = await rows<{ is_reached: boolean }>(
        db,
        sql`
        select exists (select from langgraph.threads where thread_id = ${threadId} and ${within(scope)})
          or exists (select from langgraph.ended_threads where thread_id = ${threadId} and ${within(scope)}) as is_reached`,
      );
      return found?.is_reached ?? false;
    },
    forget: async (before, limit) =>
      removeBatch(db, sql`langgraph.ended_threads`, {
        where: sql`ended_at < ${before}`,
        order: sql`ended_at`,
        limit,
      }),
  };
}

/** A part of a `with` list that remembers the threads which the part named `thread` has removed; empty for nobody's. */
export function rememberEnded(isOwned: boolean, now: Date): Sql {
  if (!isOwned) return empty;
  return sql`, ended as (
    insert into langgraph.ended_threads (thread_id, owner, metadata, ended_at)
    select thread_id, owner, metadata, ${now}::timestamptz from thread where owner is not null
    on conflict do nothing
  )`;
}
