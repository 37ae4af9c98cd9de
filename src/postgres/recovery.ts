/** The SQL of recovery: runs whose executor vanished, whose message was lost, or whose client has left. */

import sql, { type Sql } from "sql-template-tag";
import type { ClaimedRun, ClaimStore, LeaseTerm } from "../core/ports.ts";
import { EncryptionError, type Cipher, type SealingDb } from "./encryption.ts";
import { claimColumns, countEvents, endOf } from "./leases.ts";
import { openRun } from "./sealed.ts";
import { abandonedRuns } from "./sign-of-life.ts";
import { fromNow, rows } from "./sql.ts";

export const recover =
  (db: SealingDb): ClaimStore["recover"] =>
  async (lease_id, term, { maxAttempts, forgottenSince }) => {
    const { now } = term;
    const found = await rows<{ what: "waiting" | "exhausted" | "forgotten" | "abandoned"; run_id: string }>(
      db,
      sql`
      with lapsed as materialized (
        ${lapsedRuns} order by r.lease_until limit ${SWEPT} for update skip locked
      ), waiting as (
        update langgraph.runs set status = 'pending', lease_id = null, lease_until = null, woken_at = now(), updated_at = ${now}
        where run_id in (select run_id from lapsed where attempt < ${maxAttempts})
        returning run_id
      ), thread as (
        ${countEvents(sql`select thread_id from lapsed`, sql`(select max(e.seq) from langgraph.events e where e.thread_id = t.thread_id)`)}
      ), forgotten as (
        update langgraph.runs set woken_at = now() where run_id in (
          ${forgottenRuns(forgottenSince.getTime() - now.getTime())} order by r.due_at limit ${SWEPT} for update skip locked)
        returning run_id
      )
      select 'waiting' as what, run_id from waiting
      union all select 'exhausted', run_id from lapsed where attempt >= ${maxAttempts}
      union all select 'forgotten', run_id from forgotten
      union all (select 'abandoned', run_id from (${abandonedRuns} order by r.client_due_at limit ${SWEPT}) abandoned)`,
    );
    const ids = (kind: string): string[] =>
      found.flatMap(({ what, run_id }) => (what === kind ? [run_id] : []));
    const exhausted = ids("exhausted");
    return {
      waiting: ids("waiting"),
      forgotten: ids("forgotten"),
      abandoned: ids("abandoned"),
      exhausted: exhausted.length === 0 ? [] : await reclaim(db, exhausted, { ...term, lease_id }),
    };
  };

/** For their end. Of several that try, one gets each. */
async function reclaim(
  db: SealingDb,
  runIds: readonly string[],
  { lease_id, ...term }: LeaseTerm & { readonly lease_id: string },
): Promise<ClaimedRun[]> {
  const reclaimed = await rows<ClaimedRun>(
    db,
    sql`
    update langgraph.runs r set lease_id = ${lease_id}, lease_until = ${endOf(term)}, updated_at = ${term.now}
    from langgraph.threads t
    where t.thread_id = r.thread_id and r.run_id = any(${runIds}::uuid[]) and r.status = 'running' and r.lease_until < now()
    returning ${claimColumns}`,
  );
  return reclaimed.map((run) => openExhausted(db.cipher, run));
}

/** A run whose contents do not open must end, too; why it could not be executed, each claim of it has told. */
function openExhausted(cipher: Cipher, run: ClaimedRun): ClaimedRun {
  try {
    return openRun(cipher, run);
  } catch (error) {
    if (error instanceof EncryptionError) return { ...run, kwargs: { config: {}, stream_mode: [] } };
    throw error;
  }
}

/** Runs that are put back or woken again at a time. */
const SWEPT = 100;

/** Without order, limit and locks. */
export const lapsedRuns: Sql = sql`
  select r.run_id, r.thread_id, r.attempt from langgraph.runs r where r.status = 'running' and r.lease_until < now()`;

/**
 * Of a run `r` that is due: nothing of its thread executes, or waits before it. Subqueries, and no `exists`, which the
 * planner makes a join of: that compares each run of a long conversation with all others. Backwards, as the run before
 * it is mostly due, too.
 */
export const firstOfTheirThread: Sql = sql`
  (select true from langgraph.runs other where other.thread_id = r.thread_id and other.status = 'running' limit 1) is null
  and (
    select true from langgraph.runs other
    where other.thread_id = r.thread_id and other.status = 'pending' and other.position < r.position and other.due_at <= now()
    order by other.position desc limit 1) is null`;

/** Those that could have started `sinceMs` from now, and that nobody has claimed; without order, limit and locks. */
export const forgottenRuns = (sinceMs: number): Sql => sql`
  select r.run_id from langgraph.runs r
  where r.status = 'pending' and r.due_at <= now() and r.woken_at < ${fromNow(sinceMs)} and ${firstOfTheirThread}`;
