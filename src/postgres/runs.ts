/** The SQL of runs, as the API asks for them. One statement decides each race. */

import sql, { empty, type Sql } from "sql-template-tag";
import type { CancelledRun, ClaimedRun, NewRun, RunRecord, RunSelection, RunStore } from "../core/ports.ts";
import { AppError } from "../errors.ts";
import { isUniqueViolation, rows, type Db } from "./sql.ts";

export function runStore(db: Db): RunStore {
  return {
    admit: admit(db),
    get: get(db),
    list: list(db),
    cancel: cancel(db),
    remove: remove(db),
    threadGraph: threadGraph(db),
  };
}

const admit =
  (db: Db): RunStore["admit"] =>
  async (run, now, claim) => {
    const isDue = run.due_at <= now;
    const admission = sql`
      with thread as (
        ${enterThread(run, now)}
      ), decided as (
        select *, ${claim !== undefined && isDue}::boolean and active_runs = 1 as starts from thread
      )
      insert into langgraph.runs (run_id, thread_id, assistant_id, graph_id, status, metadata, kwargs, multitask_strategy,
        created_at, updated_at, due_at, woken_at, attempt, claims, lease_id, lease_until, command_key)
      select ${run.run_id}::uuid, ${run.thread_id}, ${run.assistant_id}::uuid, ${run.graph_id},
        case when starts then 'running' else 'pending' end,
        ${JSON.stringify(run.metadata)}::jsonb, ${JSON.stringify(run.kwargs)}::jsonb, ${run.multitask_strategy},
        ${now}::timestamptz, ${now}::timestamptz, ${run.due_at}::timestamptz, ${run.due_at}::timestamptz,
        case when starts then 1 else 0 end, case when starts then 1 else 0 end,
        case when starts then ${claim?.lease_id ?? null}::uuid end, case when starts then ${claim?.until ?? null}::timestamptz end,
        ${run.command_key ?? null}
      from decided
      returning status = 'running' as starts, (select last_seq from thread)::float8 as last_seq`;
    const [admitted] = await rows<{ starts: boolean; last_seq: number }>(db, admission).catch(
      (error: unknown) => {
        throw isUniqueViolation(error, "runs_by_command") ? busy(run) : error;
      },
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
  return busy({ thread_id });
}

function busy({ thread_id }: Pick<NewRun, "thread_id">): AppError {
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

const columns = sql`run_id, thread_id, assistant_id, graph_id, status, metadata, kwargs, multitask_strategy,
  created_at, updated_at, attempt, error, output`;

const get =
  (db: Db): RunStore["get"] =>
  async (runId) => {
    const [run] = await rows<RunRecord>(
      db,
      sql`select ${columns} from langgraph.runs where run_id = ${runId}`,
    );
    return run ?? null;
  };

const list =
  (db: Db): RunStore["list"] =>
  async (threadId, { limit, offset, status }) =>
    rows<RunRecord>(
      db,
      sql`
      select ${columns} from langgraph.runs
      where thread_id = ${threadId} ${status === undefined ? empty : sql`and status = ${status}`}
      order by position desc limit ${limit} offset ${offset}`,
    );

const cancel =
  (db: Db): RunStore["cancel"] =>
  async (which, action, now) => {
    const notBegun = sql`r.status = 'pending' and r.claims = 0`;
    const cancelled = await rows<CancelledRun & { readonly is_temporary: boolean }>(
      db,
      sql`
      with target as (
        select r.run_id from langgraph.runs r
        where r.status in ('pending', 'running') ${selected(which)}
        order by r.position for update
      ), stopped as (
        update langgraph.runs r
        set status = case when ${notBegun} then 'interrupted' else r.status end,
          cancel_action = case when ${notBegun} then null else ${action} end, updated_at = ${now}
        from target where r.run_id = target.run_id and r.status in ('pending', 'running')
        returning r.run_id, r.thread_id, r.status = 'interrupted' as ended
      ), ended as (
        select thread_id, count(*)::int as runs from stopped where ended group by thread_id
      ), thread as (
        update langgraph.threads t
        set active_runs = t.active_runs - ended.runs, updated_at = ${now}, status = case
          when t.active_runs > ended.runs then 'busy' when t.interrupts = '{}' then 'idle' else 'interrupted' end
        from ended where t.thread_id = ended.thread_id
      )
      select run_id, thread_id, ended, (select is_temporary from langgraph.threads t where t.thread_id = stopped.thread_id),
        case when ended then (
          select w.run_id from langgraph.runs w
          where w.thread_id = stopped.thread_id and w.status = 'pending' and w.due_at <= ${now}
            and w.run_id not in (select run_id from stopped where ended)
          order by w.position limit 1) end as next
      from stopped`,
    );
    const gone = cancelled.filter(
      ({ ended, is_temporary }) => ended && (is_temporary || action === "rollback"),
    );
    if (gone.length > 0) await erase(db, gone);
    return cancelled;
  };

function selected({ runIds, threadId, status, before }: RunSelection): Sql {
  return sql`
    ${runIds === undefined ? empty : sql`and r.run_id = any(${[...runIds]}::uuid[])`}
    ${threadId === undefined ? empty : sql`and r.thread_id = ${threadId}`}
    ${status === undefined ? empty : sql`and r.status = ${status}`}
    ${before === undefined ? empty : sql`and r.position < (select position from langgraph.runs where run_id = ${before})`}`;
}

/** Runs that never began, and their temporary threads: nothing was saved for them. */
async function erase(db: Db, gone: readonly CancelledRun[]): Promise<void> {
  await rows(
    db,
    sql`
    with run as (
      delete from langgraph.runs where run_id = any(${gone.map(({ run_id }) => run_id)}::uuid[])
    )
    delete from langgraph.threads
    where thread_id = any(${gone.map(({ thread_id }) => thread_id)}::text[]) and is_temporary and active_runs = 0`,
  );
}

const remove =
  (db: Db): RunStore["remove"] =>
  async ({ run_id, thread_id }) => {
    const removed = await rows(
      db,
      sql`
      with run as (
        delete from langgraph.runs
        where run_id = ${run_id} and thread_id = ${thread_id} and status not in ('pending', 'running')
        returning thread_id, run_id
      ), logged as (
        delete from langgraph.events e using run where e.thread_id = run.thread_id and e.run_id = run.run_id
      )
      select from run`,
    );
    return removed.length > 0;
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
