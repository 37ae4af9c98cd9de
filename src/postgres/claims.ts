/** The SQL of executing runs: claim, heartbeat, end, handover, recovery. Everything is fenced by the lease. */

import { createHash } from "node:crypto";
import sql, { type Sql } from "sql-template-tag";
import type { ClaimedRun, ClaimStore, Ended, LeaseTerm, RunEnd } from "../core/ports.ts";
import type { RunEvent } from "../core/model.ts";
import { nextRuns } from "./cancelling.ts";
import { EncryptionError, sealJson, type Cipher, type SealingDb } from "./encryption.ts";
import { rememberEnded } from "./ended-threads.ts";
import { appendEvents } from "./events.ts";
import { openEvent, openRun, placeOf, sealEnd, sealEvents, type EventRow } from "./sealed.ts";
import { abandonedRuns, stopAsked } from "./sign-of-life.ts";
import { fromNow, isUniqueViolation, rows } from "./sql.ts";
import { endColumns, recordWebhook, type ToldEnd } from "./webhooks.ts";

export function claimStore(db: SealingDb): ClaimStore {
  return {
    claim: claim(db),
    beat: beat(db),
    finish: finish(db),
    rollback: rollback(db),
    release: release(db),
    logged: logged(db),
    recover: recover(db),
  };
}

/** The thread's newest event: in the log while or after a run was executing, else where the last run left it. */
const claimColumns = sql`r.run_id, r.lease_id, r.thread_id, r.graph_id, r.assistant_id, r.metadata, r.kwargs, r.attempt, r.claims, t.is_temporary, ${stopAsked} as cancel_action, r.started_at,
  greatest(0, extract(epoch from now() - r.due_at))::float8 as waited_s,
  greatest(t.last_seq, (select max(e.seq) from langgraph.events e where e.thread_id = r.thread_id))::float8 as last_seq,
  not exists (select from public.checkpoints c where c.thread_id = r.thread_id) as is_fresh`;

function endOf({ now, until }: LeaseTerm): Sql {
  return fromNow(until.getTime() - now.getTime());
}

const claim =
  (db: SealingDb): ClaimStore["claim"] =>
  async ({ run_id, lease_id }, term) => {
    try {
      const [claimed] = await rows<ClaimedRun>(
        db,
        sql`
        update langgraph.runs r
        set status = 'running', lease_id = ${lease_id}, lease_until = ${endOf(term)}, attempt = attempt + 1, claims = claims + 1, updated_at = ${term.now},
          started_at = coalesce(started_at, ${term.now})
        from langgraph.threads t
        where r.run_id = ${run_id} and r.status = 'pending' and r.due_at <= ${fromNow(EARLY_MS)} and t.thread_id = r.thread_id
          and not exists (
            select from langgraph.runs other
            where other.thread_id = r.thread_id
              and (other.status = 'running' or (other.status = 'pending' and other.position < r.position and other.due_at <= now())))
        returning ${claimColumns}`,
      );
      return claimed === undefined ? null : openRun(db.cipher, claimed);
    } catch (error) {
      if (isUniqueViolation(error, "runs_one_running_per_thread")) return null;
      throw error;
    }
  };

/** A message for a later time may come a moment before the database's clock is there. */
const EARLY_MS = 1_000;

const beat =
  (db: SealingDb): ClaimStore["beat"] =>
  async (run, term, events) => {
    const [held] = await rows<{ cancel: "interrupt" | "rollback" | null }>(
      db,
      sql`
      with held as (
        update langgraph.runs r set lease_until = ${endOf(term)}
        where run_id = ${run.run_id} and lease_id = ${run.lease_id}
        returning ${stopAsked} as cancel
      ) ${appendEvents(run, term.now, sealEvents(db.cipher, run, events))}
      select cancel from held`,
    );
    return { held: held !== undefined, cancel: held?.cancel ?? null };
  };

const finish =
  (db: SealingDb): ClaimStore["finish"] =>
  async (run, outcome, now, unsealed) => {
    const events = sealEvents(db.cipher, run, unsealed);
    const end = sealEnd(db.cipher, run, { ...outcome, values: outcome.values ?? outcome.saved_values });
    if (run.is_temporary) return leave(db, run, removal(run, now, { events, told: end }));
    const values = end.values === undefined ? sql`values` : sql`${JSON.stringify(end.values)}::jsonb`;
    const output = keptOutput(db.cipher, run, outcome);
    const lastSeq = newestSeq(run, events);
    return leave(
      db,
      run,
      sql`
      with held as (
        update langgraph.runs
        set status = ${end.status}, error = ${end.error ?? null}, output = ${output}::jsonb, lease_id = null, lease_until = null, cancel_action = null, client_due_at = null, updated_at = ${now}
        where run_id = ${run.run_id} and lease_id = ${run.lease_id}
        returning ${endColumns(run)}
      ) ${appendEvents(run, now, events)} ${recordWebhook(run, now, end)}, thread as (
        update langgraph.threads
        set status = case when active_runs > 1 then 'busy' else ${end.thread_status} end, active_runs = active_runs - 1,
          "values" = ${values}, interrupts = ${sealJson(db.cipher, end.interrupts ?? {}, placeOf.interrupts(run.thread_id))}::jsonb,
          last_seq = greatest(last_seq, ${lastSeq}), updated_at = ${now}, state_updated_at = ${now}
        where thread_id in (select thread_id from held)
        returning active_runs
      )`,
    );
  };

/** Null for a run that keeps none. */
function keptOutput(cipher: Cipher, { run_id, kwargs }: ClaimedRun, { values }: RunEnd): string | null {
  return kwargs.keeps_output === true ? sealJson(cipher, values ?? null, placeOf.output(run_id)) : null;
}

const rollback =
  (db: SealingDb): ClaimStore["rollback"] =>
  async (run, now, unsealed) => {
    const events = sealEvents(db.cipher, run, unsealed);
    const told = { status: "rollback" } as const;
    if (run.is_temporary) return leave(db, run, removal(run, now, { events, told }));
    const mine = sql`thread_id in (select thread_id from held) and metadata ->> 'run_id' = ${run.run_id}`;
    return leave(
      db,
      run,
      sql`
      with ${removeRun(run)} ${appendEvents(run, now, events)} ${recordWebhook(run, now, told)}, checkpoint as (
        delete from public.checkpoints where ${mine} returning thread_id, checkpoint_ns, checkpoint_id
      ), write as (
        delete from public.checkpoint_writes w using checkpoint c
        where w.thread_id = c.thread_id and w.checkpoint_ns = c.checkpoint_ns and w.checkpoint_id = c.checkpoint_id
      ), thread as (
        update langgraph.threads
        set status = case when active_runs > 1 then 'busy' when interrupts = '{}' then 'idle' else 'interrupted' end,
          active_runs = active_runs - 1, last_seq = greatest(last_seq, ${newestSeq(run, events)}), updated_at = ${now}
        where thread_id in (select thread_id from held)
        returning active_runs
      )`,
    );
  };

/** Of these events, else of those that the heartbeats have logged before. */
function newestSeq({ thread_id }: ClaimedRun, events: readonly RunEvent[]): Sql {
  const last = events.at(-1);
  return last === undefined
    ? sql`(select max(e.seq) from langgraph.events e where e.thread_id = ${thread_id})`
    : sql`${last.seq}::bigint`;
}

/** For a next run of the threads that starts although this one will not: it may be cancelled while it waits. */
function countEvents(threads: Sql, newest: Sql): Sql {
  return sql`update langgraph.threads t set last_seq = greatest(t.last_seq, ${newest}) where t.thread_id in (${threads})`;
}

function removeRun(run: ClaimedRun): Sql {
  const { run_id, lease_id } = run;
  return sql`held as (delete from langgraph.runs where run_id = ${run_id} and lease_id = ${lease_id} returning ${endColumns(run)})`;
}

/** Of a run whose thread was made for it alone. */
function removal(
  run: ClaimedRun,
  now: Date,
  { events, told }: { readonly events: readonly RunEvent[]; readonly told: ToldEnd },
): Sql {
  return sql`with ${removeRun(run)} ${appendEvents(run, now, events)} ${recordWebhook(run, now, told)} ${removeThread}
    ${rememberEnded(run.kwargs.principal !== undefined, now)}`;
}

/** A temporary thread goes with its only run, and all that was saved for it. */
const removeThread = sql`, blob as (
    delete from public.checkpoint_blobs where thread_id in (select thread_id from held)
  ), write as (
    delete from public.checkpoint_writes where thread_id in (select thread_id from held)
  ), checkpoint as (
    delete from public.checkpoints where thread_id in (select thread_id from held)
  ), thread as (
    delete from langgraph.threads where thread_id in (select thread_id from held)
    returning 0 as active_runs, thread_id, owner, metadata
  )`;

/** Runs a statement that ends a run, given up to its part `thread`, and finds the run that waits next. */
async function leave(db: SealingDb, { thread_id }: ClaimedRun, statement: Sql): Promise<Ended> {
  const [thread] = await rows<{ active_runs: number }>(db, sql`${statement} select active_runs from thread`);
  if (thread === undefined) return { held: false };
  const [next] = thread.active_runs > 0 ? await nextRuns(db, [thread_id]) : [];
  return next === undefined ? { held: true } : { held: true, next };
}

const release =
  (db: SealingDb): ClaimStore["release"] =>
  async (run, now, { events: unsealed, gotAnywhere }) => {
    const events = sealEvents(db.cipher, run, unsealed);
    const released = await rows(
      db,
      sql`
      with held as (
        update langgraph.runs
        set status = 'pending', attempt = case when ${gotAnywhere} then 0 else attempt end, lease_id = null, lease_until = null, due_at = now(), woken_at = now(), updated_at = ${now}
        where run_id = ${run.run_id} and lease_id = ${run.lease_id}
        returning thread_id
      ) ${appendEvents(run, now, events)}, thread as (
        ${countEvents(sql`select thread_id from held`, newestSeq(run, events))}
      )
      select from held`,
    );
    return { held: released.length > 0 };
  };

const logged =
  (db: SealingDb): ClaimStore["logged"] =>
  async ({ run_id, thread_id }) => {
    const theirs = sql`from langgraph.events
      where thread_id = ${thread_id} and run_id = ${run_id} and event in ('values', 'updates')
      order by seq desc limit ${LOGGED}`;
    if (db.cipher.newest === undefined) {
      const found = await rows<{ digest: string }>(
        db,
        sql`select md5(event || ' ' || data) as digest ${theirs}`,
      );
      return found.map(({ digest }) => digest);
    }
    const found = await rows<EventRow & { data: string }>(
      db,
      sql`select thread_id, run_id, seq::float8 as seq, event, data ${theirs}`,
    );
    return found.map((row) => digest(row.event, openEvent(db.cipher, row)));
  };

function digest(event: string, data: string): string {
  return createHash("md5").update(`${event} ${data}`).digest("hex");
}

/** More than a superstep's tasks. */
const LOGGED = 1_000;

const recover =
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
