/** The SQL of the event log. */

import sql, { empty, type Sql } from "sql-template-tag";
import type { EventLog } from "../core/ports.ts";
import { isFinal, type RunRef, type RunStatus, type RunEvent } from "../core/model.ts";
import type { SealingDb } from "./encryption.ts";
import { openEvent } from "./sealed.ts";
import { rows } from "./sql.ts";

/** Events in one answer: what a follower that starts late catches up on at a time. */
const PAGE = 500;

/** Runs that one statement reads. */
const RUNS = 50;

type Read = Awaited<ReturnType<EventLog["read"]>>;

interface Wanted {
  readonly run: RunRef;
  readonly after: number;
  readonly resolve: (read: Promise<Read>) => void;
  readonly reject: (reason: unknown) => void;
}

/** What is read in the same moment is read in one statement: a process follows any number of runs at the price of one. */
export function eventLog(db: SealingDb): EventLog {
  let waiting: Wanted[] = [];
  const readAll = async (): Promise<void> => {
    const wanted = waiting;
    waiting = [];
    for (let start = 0; start < wanted.length; start += RUNS) {
      const some = wanted.slice(start, start + RUNS);
      await readTogether(db, some).then(
        (found) => some.forEach(({ resolve }, number) => resolve(found(number))),
        (error: unknown) => some.forEach(({ reject }) => reject(error)),
      );
    }
  };
  return {
    read: async (run, after) =>
      new Promise((resolve, reject) => {
        waiting.push({ run, after, resolve, reject });
        if (waiting.length === 1) setImmediate(() => void readAll());
      }),
  };
}

interface LogRow {
  readonly number: number;
  readonly status: RunStatus | null;
  readonly seq: number | null;
  readonly event: string;
  readonly data: string;
}

/** One statement, so that a run which it sees ended has no event that it does not see. */
async function readTogether(
  db: SealingDb,
  wanted: readonly Wanted[],
): Promise<(number: number) => Promise<Read>> {
  const found = await rows<LogRow>(
    db,
    sql`
    select wanted.number, (
        select status from langgraph.runs r where r.run_id = wanted.run_id and r.thread_id = wanted.thread_id) as status,
      logged.seq::float8 as seq, logged.event, logged.data
    from unnest(${wanted.map((_, number) => number)}::int[], ${wanted.map(({ run }) => run.thread_id)}::text[],
      ${wanted.map(({ run }) => run.run_id)}::uuid[], ${wanted.map(({ after }) => after)}::bigint[]
    ) as wanted (number, thread_id, run_id, after)
    left join lateral (
      select e.seq, e.event, e.data from langgraph.events e
      where e.thread_id = wanted.thread_id and e.seq > wanted.after and e.run_id = wanted.run_id
      order by e.seq limit ${PAGE}
    ) logged on true
    order by wanted.number, logged.seq`,
  );
  const byNumber = new Map<number, LogRow[]>(wanted.map((_, number) => [number, []]));
  for (const row of found) byNumber.get(row.number)?.push(row);
  // A promise for each, as an event that does not open is the failure of its run alone.
  return async (number) => {
    const mine = byNumber.get(number) ?? [];
    const { run_id = "", thread_id = "" } = wanted[number]?.run ?? {};
    const events = mine.flatMap(({ seq, event, data }) => {
      if (seq === null) return [];
      return [{ seq, event, data: openEvent(db.cipher, { thread_id, run_id, seq, event, data }) }];
    });
    const status = mine[0]?.status ?? null; // gone with its temporary thread
    return { events, ended: events.length < PAGE && (status === null || isFinal(status)) };
  };
}

/**
 * A part of a `with` list that appends events if the part named `held` has a row; empty for no events. Events that are
 * there already, because the answer to an earlier try was lost, stay.
 */
export function appendEvents(run: RunRef, now: Date, events: readonly RunEvent[]): Sql {
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
