/** The SQL of the event log, read over all runs of a thread. */

import sql, { type Sql } from "sql-template-tag";
import type { RunRef } from "../core/model.ts";
import type { EventSelection, ThreadEvent, ThreadLog } from "../core/thread-log.ts";
import { onThreadWithin } from "./access.ts";
import type { SealingDb } from "./encryption.ts";
import { openEvent } from "./sealed.ts";
import { valueAt } from "./sealed-threads.ts";
import { rows, type Db } from "./sql.ts";

/** Events that one statement looks at. */
const PAGE = 500;
/** What it may bring along, and one event more. */
const PAGE_BYTES = 4_194_304;

export function threadLog(db: SealingDb): ThreadLog {
  return {
    readThread: readThread(db),
    checkpointSeq: checkpointSeq(db),
    newestSeq: newestSeq(db),
    reaches: reaches(db),
  };
}

interface LoggedRow extends ThreadEvent {
  readonly wanted: boolean;
  readonly fitted: number;
  readonly found: number;
}

/** Besides what is wanted, it brings the number of the last event that it looked at, so that none is looked at twice. */
const readThread =
  (db: SealingDb): ThreadLog["readThread"] =>
  async (threadId, scope, after, selection) => {
    const found = await rows<LoggedRow>(
      db,
      sql`
      with page as materialized (
        select seq, run_id, event, wanted, case when wanted then data end as data, count(*) over () as found,
          sum(case when wanted then octet_length(data) else 0 end) over (order by seq)
            - case when wanted then octet_length(data) else 0 end as before
        from (
          select seq, run_id, event, data, ${isWanted(selection)} as wanted from langgraph.events
          where thread_id = ${threadId} and seq > ${after} and ${onThreadWithin(scope, sql`${threadId}`)} order by seq limit ${PAGE}
        ) logged
      ), fitting as (
        select * from page where before <= ${PAGE_BYTES}
      )
      select seq::float8 as seq, run_id, event, data, wanted, found::int as found,
        (select count(*) from fitting)::int as fitted
      from fitting where wanted or seq = (select max(seq) from fitting)
      order by seq`,
    );
    const last = found.at(-1);
    const events = found.flatMap(({ wanted, seq, run_id, event, data }) => {
      const row = { thread_id: threadId, seq, run_id, event, data };
      return wanted ? [{ seq, run_id, event, data: openEvent(db.cipher, row) }] : [];
    });
    const isLast = last === undefined || (last.found < PAGE && last.fitted === last.found);
    return { events, through: last?.seq ?? after, isLast };
  };

function isWanted(selection: EventSelection | undefined): Sql {
  if (selection === undefined) return sql`true`;
  const { prefix, kinds } = selection;
  const kind = sql`split_part(substr(event, ${prefix.length + 1}), '|', 1)`;
  const exact = kinds.filter((one) => !one.endsWith("*"));
  const starts = kinds.flatMap((one) => (one.endsWith("*") ? [one.slice(0, -1)] : []));
  return sql`(starts_with(event, ${prefix}) and (${kind} = any(${exact}::text[])
    or exists (select from unnest(${starts}::text[]) as start where starts_with(${kind}, start))))`;
}

/** As the modes `checkpoints` and `debug` tell of it, or the protocol's channel; the first says only which step's it is. */
const checkpointSeq =
  (db: SealingDb): ThreadLog["checkpointSeq"] =>
  async (run, checkpointId) => {
    if (db.cipher.newest !== undefined) return sealedCheckpointSeq(db, run, checkpointId);
    const { thread_id, run_id } = run;
    const [found] = await rows<{ seq: number | null }>(
      db,
      sql`
      select min(e.seq)::float8 as seq from public.checkpoints c join langgraph.events e on e.thread_id = c.thread_id
      where c.thread_id = ${thread_id} and c.checkpoint_ns = '' and c.checkpoint_id = ${checkpointId}
        and c.metadata ->> 'run_id' = ${run_id} and e.run_id = ${run_id} and case e.event
          when 'checkpoints' then e.data::jsonb #> '{metadata,step}' = c.metadata -> 'step'
          when 'debug' then e.data::jsonb #>> '{payload,config,configurable,checkpoint_id}' = c.checkpoint_id
          when 'v2|checkpoints' then e.data::jsonb #>> '{data,id}' = c.checkpoint_id end`,
    );
    return found?.seq ?? null;
  };

/** What the database cannot look into is looked into here: the events that tell of checkpoints, one after the other. */
async function sealedCheckpointSeq(
  db: SealingDb,
  { thread_id, run_id }: RunRef,
  checkpointId: string,
): Promise<number | null> {
  const found = await rows<Omit<ThreadEvent, "run_id"> & { readonly step: unknown }>(
    db,
    sql`
    select e.seq::float8 as seq, e.event, e.data, c.metadata -> 'step' as step
    from public.checkpoints c join langgraph.events e on e.thread_id = c.thread_id
    where c.thread_id = ${thread_id} and c.checkpoint_ns = '' and c.checkpoint_id = ${checkpointId}
      and c.metadata ->> 'run_id' = ${run_id} and e.run_id = ${run_id}
      and e.event in ('checkpoints', 'debug', 'v2|checkpoints')
    order by e.seq`,
  );
  const told = found.find(({ step, ...event }) => {
    const data: unknown = JSON.parse(openEvent(db.cipher, { thread_id, run_id, ...event }));
    if (event.event === "checkpoints") return valueAt(data, ["metadata", "step"]) === step;
    const path =
      event.event === "debug" ? ["payload", "config", "configurable", "checkpoint_id"] : ["data", "id"];
    return valueAt(data, path) === checkpointId;
  });
  return told?.seq ?? null;
}

/** In the log while or after a run was executing, else where the last run left it. */
const newestSeq =
  (db: Db): ThreadLog["newestSeq"] =>
  async (threadId, scope) => {
    const isReached = onThreadWithin(scope, sql`${threadId}`);
    const [newest] = await rows<{ seq: number | null }>(
      db,
      sql`
      select greatest((select last_seq from langgraph.threads where thread_id = ${threadId} and ${isReached}),
        (select max(seq) from langgraph.events where thread_id = ${threadId} and ${isReached}))::float8 as seq`,
    );
    return newest?.seq ?? 0;
  };

const reaches =
  (db: Db): ThreadLog["reaches"] =>
  async ({ thread_id, run_id }, scope) => {
    const found = await rows(
      db,
      sql`
      select from langgraph.runs
      where run_id = ${run_id} and thread_id = ${thread_id} and ${onThreadWithin(scope, sql`${thread_id}`)}`,
    );
    return found.length > 0;
  };
