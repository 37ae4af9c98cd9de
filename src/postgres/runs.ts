/** The SQL of runs and of the threads they run on. One statement decides each race. */

import sql from "sql-template-tag";
import type { RunStore } from "../core/ports.ts";
import { AppError } from "../errors.ts";
import { isUniqueViolation, rows, type Db } from "./sql.ts";

export function runStore(db: Db): RunStore {
  return { begin: begin(db), renew: renew(db), finish: finish(db), recover: recover(db), threadGraph: threadGraph(db) };
}

const VANISHED = "The instance that executed the run vanished";

/** The thread's lapsed run ends first (the count forces that order), so that the unique index lets the new one in. */
const begin =
  (db: Db): RunStore["begin"] =>
  async (run, { lease_id, now, until }) => {
    try {
      await rows(db, sql`
        with lapsed as (
          update langgraph.runs
          set status = 'error', error = ${VANISHED}, lease_id = null, lease_until = null, updated_at = ${now}
          where thread_id = ${run.thread_id} and status = 'running' and lease_until < ${now}
          returning run_id
        ), thread as (
          insert into langgraph.threads (thread_id, assistant_id, status, created_at, updated_at)
          select ${run.thread_id}, ${run.assistant_id}, 'busy', ${now}::timestamptz, ${now}::timestamptz
          where (select count(*) from lapsed) >= 0
          on conflict (thread_id) do update
          set assistant_id = excluded.assistant_id, status = 'busy', updated_at = excluded.updated_at
          returning thread_id
        )
        insert into langgraph.runs
          (run_id, thread_id, assistant_id, status, metadata, lease_id, lease_until, created_at, updated_at)
        select ${run.run_id}::uuid, thread_id, ${run.assistant_id}, 'running', ${JSON.stringify(run.metadata)}::jsonb,
          ${lease_id}::uuid, ${until}::timestamptz, ${now}::timestamptz, ${now}::timestamptz
        from thread`);
    } catch (error) {
      if (!isUniqueViolation(error, "runs_one_running_per_thread")) throw error;
      throw new AppError("thread_busy", `Thread '${run.thread_id}' is currently in use by another request`, { cause: error });
    }
  };

const renew =
  (db: Db): RunStore["renew"] =>
  async ({ run_id, lease_id }, { now, until }) => {
    const renewed = await rows(db, sql`
      update langgraph.runs set lease_until = ${until}, updated_at = ${now}
      where run_id = ${run_id} and lease_id = ${lease_id}
      returning run_id`);
    return renewed.length > 0;
  };

const finish =
  (db: Db): RunStore["finish"] =>
  async ({ run_id, lease_id }, end, now) => {
    const error = end.status === "error" ? end.error : null;
    const threadStatus = end.status === "success" ? "idle" : end.status;
    const finished = await rows(db, sql`
      with run as (
        update langgraph.runs
        set status = ${end.status}, error = ${error}, lease_id = null, lease_until = null, updated_at = ${now}
        where run_id = ${run_id} and lease_id = ${lease_id}
        returning thread_id
      )
      update langgraph.threads set status = ${threadStatus}, updated_at = ${now}
      where thread_id in (select thread_id from run)
      returning thread_id`);
    return finished.length > 0;
  };

const recover =
  (db: Db): RunStore["recover"] =>
  async (now) => {
    const recovered = await rows(db, sql`
      with run as (
        update langgraph.runs
        set status = 'error', error = ${VANISHED}, lease_id = null, lease_until = null, updated_at = ${now}
        where run_id in (
          select run_id from langgraph.runs where status = 'running' and lease_until < ${now}
          order by lease_until limit 100 for update skip locked
        )
        returning thread_id
      )
      update langgraph.threads set status = 'error', updated_at = ${now}
      where thread_id in (select thread_id from run)
      returning thread_id`);
    return recovered.length;
  };

const threadGraph =
  (db: Db): RunStore["threadGraph"] =>
  async (threadId) => {
    const [thread] = await rows<{ assistant_id: string | null }>(db, sql`
      select assistant_id from langgraph.threads where thread_id = ${threadId}`);
    return thread?.assistant_id ?? null;
  };
