/** The SQL of runs, as the API asks for them. One statement decides each race. */

import sql, { type Sql } from "sql-template-tag";
import type { ClaimedRun, NewRun, RunRecord, RunStore } from "../core/ports.ts";
import { AppError } from "../errors.ts";
import { rows, type Db } from "./sql.ts";

export function runStore(db: Db): RunStore {
  return { admit: admit(db), get: get(db), cancel: cancel(db), threadGraph: threadGraph(db) };
}

const admit =
  (db: Db): RunStore["admit"] =>
  async (run, now, claim) => {
    const isDue = run.due_at <= now;
    const [admitted] = await rows<{ starts: boolean; last_seq: number }>(
      db,
      sql`
      with thread as (
        ${enterThread(run, now)}
      ), decided as (
        select *, ${claim !== undefined && isDue}::boolean and active_runs = 1 as starts from thread
      )
      insert into langgraph.runs (run_id, thread_id, assistant_id, graph_id, status, metadata, kwargs, multitask_strategy,
        created_at, updated_at, due_at, woken_at, attempt, claims, lease_id, lease_until)
      select ${run.run_id}::uuid, ${run.thread_id}, ${run.assistant_id}::uuid, ${run.graph_id},
        case when starts then 'running' else 'pending' end,
        ${JSON.stringify(run.metadata)}::jsonb, ${JSON.stringify(run.kwargs)}::jsonb, ${run.multitask_strategy},
        ${now}::timestamptz, ${now}::timestamptz, ${run.due_at}::timestamptz, ${run.due_at}::timestamptz,
        case when starts then 1 else 0 end, case when starts then 1 else 0 end,
        case when starts then ${claim?.lease_id ?? null}::uuid end, case when starts then ${claim?.until ?? null}::timestamptz end
      from decided
      returning status = 'running' as starts, (select last_seq from thread)::float8 as last_seq`,
    );
    if (admitted === undefined) throw await refusal(db, run);
    return admitted.starts && claim !== undefined ? claimedRun(run, claim.lease_id, admitted.last_seq) : null;
  };

/** Counts the run in, under the lock of the thread's row; no row when the thread is missing or the run is rejected. */
function enterThread(
  { thread_id, creates_thread, is_temporary, multitask_strategy, ...run }: NewRun,
  now: Date,
): Sql {
  const binding = JSON.stringify({ graph_id: run.graph_id, assistant_id: run.assistant_id });
  const update = sql`
    set status = 'busy', active_runs = t.active_runs + 1, metadata = t.metadata || ${binding}::jsonb, updated_at = ${now}::timestamptz
    where (${multitask_strategy} <> 'reject' or t.active_runs = 0)`;
  const outcome = sql`returning t.active_runs, t.last_seq`;
  if (!creates_thread)
    return sql`update langgraph.threads as t ${update} and t.thread_id = ${thread_id} ${outcome}`;
  return sql`
    insert into langgraph.threads as t
      (thread_id, status, metadata, active_runs, is_temporary, created_at, updated_at, state_updated_at)
    values (${thread_id}, 'busy', ${binding}::jsonb, 1, ${is_temporary},
      ${now}::timestamptz, ${now}::timestamptz, ${now}::timestamptz)
    on conflict (thread_id) do update ${update} ${outcome}`;
}

async function refusal(db: Db, { thread_id, creates_thread }: NewRun): Promise<AppError> {
  const found = await rows(db, sql`select from langgraph.threads where thread_id = ${thread_id}`);
  if (found.length === 0 && !creates_thread)
    return new AppError("not_found", `Thread '${thread_id}' not found`);
  return new AppError("thread_busy", `Thread '${thread_id}' is currently in use by another request`);
}

function claimedRun(run: NewRun, lease_id: string, last_seq: number): ClaimedRun {
  const { run_id, thread_id, graph_id, assistant_id, metadata, kwargs, is_temporary } = run;
  return {
    run_id,
    lease_id,
    thread_id,
    graph_id,
    assistant_id,
    metadata,
    kwargs,
    attempt: 1,
    claims: 1,
    last_seq,
    is_temporary,
  };
}

const get =
  (db: Db): RunStore["get"] =>
  async (runId) => {
    const [run] = await rows<RunRecord>(
      db,
      sql`
        select run_id, thread_id, assistant_id, graph_id, status, metadata, kwargs, multitask_strategy,
          created_at, updated_at, error, output
        from langgraph.runs where run_id = ${runId}`,
    );
    return run ?? null;
  };

const cancel =
  (db: Db): RunStore["cancel"] =>
  async (runId, action, now) => {
    const cancelled = await rows(
      db,
      sql`
        with running as (
          update langgraph.runs set cancel_action = ${action}, updated_at = ${now}
          where run_id = ${runId} and status = 'running'
          returning thread_id
        ), waiting as (
          update langgraph.runs set status = 'interrupted', updated_at = ${now}
          where run_id = ${runId} and status = 'pending'
          returning thread_id
        ), thread as (
          update langgraph.threads
          set active_runs = active_runs - 1, updated_at = ${now}, status = case
            when active_runs > 1 then 'busy' when interrupts = '{}' then 'idle' else 'interrupted' end
          where thread_id in (select thread_id from waiting)
        )
        select from running union all select from waiting`,
    );
    return cancelled.length > 0;
  };

const threadGraph =
  (db: Db): RunStore["threadGraph"] =>
  async (threadId) => {
    const [thread] = await rows<{ graph_id: string | null }>(
      db,
      sql`
      select metadata ->> 'graph_id' as graph_id from langgraph.threads where thread_id = ${threadId}`,
    );
    return thread?.graph_id ?? null;
  };
