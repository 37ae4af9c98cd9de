/** The SQL of executing runs: claim, heartbeat, end, handover. Everything is fenced by the lease. */

import { createHash } from "node:crypto";
import sql, { type Sql } from "sql-template-tag";
import type { ClaimedRun, ClaimStore, Ended, RunEnd } from "../core/ports.ts";
import type { RunEvent } from "../core/model.ts";
import { nextRuns } from "./cancelling.ts";
import { sealJson, type Cipher, type SealingDb } from "./encryption.ts";
import { rememberEnded } from "./ended-threads.ts";
import { appendEvents } from "./events.ts";
import { claimColumns, countEvents, endOf } from "./leases.ts";
import { recover } from "./recovery.ts";
import { openEvent, openRun, placeOf, sealEnd, sealEvents, type EventRow } from "./sealed.ts";
import { stopAsked } from "./sign-of-life.ts";
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
