/** The SQL of the event log. */

import sql, { empty, type Sql } from "sql-template-tag";
import type { EventLog, RunEvent } from "../core/ports.ts";
import { isFinal, type RunStatus } from "../core/model.ts";
import { rows, type Db } from "./sql.ts";

/** Events in one answer: what a follower that starts late catches up on at a time. */
const PAGE = 500;

export function eventLog(db: Db): EventLog {
  return {
    // One statement, so that a run which it sees ended has no event that it does not see.
    read: async ({ thread_id, run_id }, after) => {
      const found = await rows<{ status: RunStatus | null; seq: number | null; event: string; data: string }>(
        db,
        sql`
        select run.status, logged.seq::float8 as seq, logged.event, logged.data
        from (select (select status from langgraph.runs where run_id = ${run_id}) as status) run
        left join lateral (
          select seq, event, data from langgraph.events
          where thread_id = ${thread_id} and seq > ${after} and run_id = ${run_id}
          order by seq limit ${PAGE}
        ) logged on true
        order by logged.seq`,
      );
      const events = found.flatMap(({ seq, event, data }) => (seq === null ? [] : [{ seq, event, data }]));
      const status = found[0]?.status ?? null; // gone with its temporary thread
      return { events, ended: events.length < PAGE && (status === null || isFinal(status)) };
    },
  };
}

/**
 * A part of a `with` list that appends events if the part named `held` has a row; empty for no events. Events that are
 * there already, because the answer to an earlier try was lost, stay.
 */
export function appendEvents(
  run: { readonly thread_id: string; readonly run_id: string },
  now: Date,
  events: readonly RunEvent[],
): Sql {
  if (events.length === 0) return empty;
  return sql`, appended as (
    insert into langgraph.events (thread_id, seq, run_id, event, data, created_at)
    select ${run.thread_id}, logged.seq, ${run.run_id}::uuid, logged.event, logged.data, ${now}::timestamptz
    from unnest(${events.map(({ seq }) => seq)}::bigint[], ${events.map(({ event }) => event)}::text[],
      ${events.map(({ data }) => data)}::text[]) as logged (seq, event, data)
    where exists (select from held)
    on conflict do nothing
  )`;
}
