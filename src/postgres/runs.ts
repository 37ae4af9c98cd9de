/** The SQL of runs, as the API asks for them. One statement decides each race. */

import sql, { empty, type Sql } from "sql-template-tag";
import { isEverything, type Scope } from "../core/auth.ts";
import type { ClaimedRun, NewRun, RunRecord, RunStore } from "../core/ports.ts";
import type { JsonObject, RunStatus } from "../core/model.ts";
import { assistantIdOf } from "../core/default-assistants.ts";
import { AppError } from "../errors.ts";
import { onThreadWithin, within } from "./access.ts";
import { cancel } from "./cancelling.ts";
import type { SealingDb } from "./encryption.ts";
import { makeOnce, remember } from "./idempotency.ts";
import type { Database } from "./pool.ts";
import { openRecord, sealKwargs } from "./sealed.ts";
import { fromNow, isUniqueViolation, rows, type Db } from "./sql.ts";
import { lifetime, loggedSeq } from "./thread-lifetime.ts";

export function runStore(db: Database): RunStore {
  return {
    admit: admit(db),
    get: get(db),
    list: list(db),
    count: count(db),
    cancel: cancel(db),
    remove: remove(db),
  };
}

const admit =
  (db: SealingDb): RunStore["admit"] =>
  async (run, now, claim) => {
    const isDue = run.due_at <= now;
    const made = { part: sql`decided`, thread_id: run.thread_id, run_id: run.run_id };
    const due = fromNow(Math.max(0, run.due_at.getTime() - now.getTime()));
    const until = fromNow((claim?.until ?? now).getTime() - now.getTime());
    const insert = async () =>
      rows<{ starts: boolean; last_seq: number; is_fresh: boolean; metadata: JsonObject }>(
        db,
        sql`
      with thread as (
        ${enterThread(run, now)}
      ), decided as (
        select *, ${claim !== undefined && isDue}::boolean and active_runs = 1 as starts from thread
      ) ${remember(run.idempotency, now, made)}
      insert into langgraph.runs (run_id, thread_id, assistant_id, graph_id, status, metadata, kwargs, multitask_strategy,
        created_at, updated_at, due_at, woken_at, attempt, claims, lease_id, lease_until, started_at, command_key, identity)
      select ${run.run_id}::uuid, ${run.thread_id}, ${run.assistant_id}::uuid, ${run.graph_id},
        case when starts then 'running' else 'pending' end,
        ${JSON.stringify(run.assistant_metadata ?? {})}::jsonb || thread_metadata || ${JSON.stringify(run.metadata)}::jsonb, ${sealKwargs(db.cipher, run.run_id, run.kwargs)}::jsonb, ${run.multitask_strategy},
        ${now}::timestamptz, ${now}::timestamptz, ${due}, ${due},
        case when starts then 1 else 0 end, case when starts then 1 else 0 end,
        case when starts then ${claim?.lease_id ?? null}::uuid end, case when starts then ${until} end, case when starts then ${now}::timestamptz end,
        ${run.command_key ?? null}, ${run.counted?.identity ?? null}
      from decided
      returning status = 'running' as starts, metadata, (select last_seq from thread)::float8 as last_seq,
        (select is_unused from thread) and not exists (
          select from public.checkpoints c where c.thread_id = ${run.thread_id}) as is_fresh`,
      );
    const admitted = await makeOnce(db, run.idempotency, now, async () => (await insert())[0]).catch(
      (error: unknown) => {
        throw isUniqueViolation(error, "runs_by_command") ? busy(run) : error;
      },
    );
    if (admitted === undefined) throw await refusal(db, run);
    const { starts, metadata } = admitted;
    const claimed =
      starts && claim !== undefined ? claimedRun(run, now, { lease_id: claim.lease_id, ...admitted }) : null;
    return { claim: claimed, metadata };
  };

/** Counts the run in, under the lock of the thread's row; no row when the thread is missing or the run is rejected. */
function enterThread(
  { thread_id, owner, scope, creates_thread, thread_ttl, is_temporary, multitask_strategy, ...run }: NewRun,
  now: Date,
): Sql {
  const binding = { graph_id: run.graph_id, assistant_id: run.assistant_id };
  const update = sql`
    set status = 'busy', active_runs = t.active_runs + 1, metadata = t.metadata || ${JSON.stringify(binding)}::jsonb, updated_at = ${now}::timestamptz
    where (${multitask_strategy} <> 'reject' or t.active_runs = 0)
      and ${within(scope, { owner: sql`t.owner`, metadata: sql`t.metadata` })}`;
  // As the row is under the lock: what this statement sees of other tables may be older.
  const outcome = sql`returning t.active_runs, t.last_seq, t.metadata as thread_metadata,
    t.state_updated_at = t.created_at and t."values" is null as is_unused`;
  if (!creates_thread)
    return sql`update langgraph.threads as t ${update} and t.thread_id = ${thread_id} and ${hasItsVersion(run)} and ${hasRoom(run)} ${outcome}`;
  const ttl = is_temporary ? undefined : thread_ttl;
  const metadata = JSON.stringify({ ...run.thread_metadata, ...binding });
  return sql`
    insert into langgraph.threads as t
      (thread_id, owner, status, metadata, active_runs, is_temporary, created_at, updated_at, state_updated_at,
        ttl_minutes, ttl_strategy, expires_at, last_seq)
    select ${thread_id}, ${owner}, 'busy', ${metadata}::jsonb, 1, ${is_temporary}::boolean,
      ${now}::timestamptz, ${now}::timestamptz, ${now}::timestamptz, ${lifetime(ttl, now)}, ${loggedSeq(thread_id)}
    where ${hasItsVersion(run)} and ${hasRoom(run)} and ${hasNoStrangeState(scope, thread_id)}
    on conflict (thread_id) do update ${update} ${outcome}`;
}

/** Who comes next waits until this statement is done, and then counts its run. */
function hasRoom({ counted }: Pick<NewRun, "counted">): Sql {
  return counted === undefined
    ? sql`true`
    : sql`langgraph.active_runs(${counted.identity}) < ${counted.max}::int`;
}

/** When asking again may make sense. */
const RETRY_SECONDS = 5;

/**
 * What others have saved by a checkpointer of their own, or what a run has streamed whose thread is gone, is without a
 * record of whose it is, and for those who reach everything.
 */
function hasNoStrangeState(scope: Scope, thread_id: string): Sql {
  if (isEverything(scope)) return sql`true`;
  return sql`(exists (select from langgraph.threads where thread_id = ${thread_id})
    or (not exists (select from public.checkpoints where thread_id = ${thread_id})
      and not exists (select from langgraph.events where thread_id = ${thread_id})))`;
}

type AdmittedAs = Pick<NewRun, "assistant_id" | "assistant_version" | "graph_id">;

/** A default assistant that has no row yet has never been changed. */
function hasItsVersion({ assistant_id, assistant_version, graph_id }: AdmittedAs): Sql {
  if (assistant_version === undefined) return sql`true`;
  const withoutRow = assistant_id === assistantIdOf(graph_id) ? 1 : 0;
  return sql`coalesce((select version from langgraph.assistants where assistant_id = ${assistant_id}::uuid), ${withoutRow}) = ${assistant_version}`;
}

async function refusal(db: Db, run: NewRun): Promise<AppError> {
  const { thread_id, creates_thread, scope } = run;
  const [found] = await rows<{ is_thread: boolean; is_current: boolean; has_room: boolean }>(
    db,
    sql`
    select exists (select from langgraph.threads where thread_id = ${thread_id} and ${within(scope)}) as is_thread,
      ${hasItsVersion(run)} as is_current, ${hasRoom(run)} as has_room`,
  );
  if (found?.is_current === false)
    return new AppError("assistant_changed", "The run's assistant was changed meanwhile; ask again");
  if (found?.has_room === false)
    return new AppError("rate_limited", `More than ${run.counted?.max} runs are active at a time`, {
      retryAfterSeconds: RETRY_SECONDS,
    });
  if (found?.is_thread === false && (!creates_thread || !isEverything(scope)))
    return new AppError("not_found", `Thread '${thread_id}' not found`);
  return busy({ thread_id });
}

function busy({ thread_id }: Pick<NewRun, "thread_id">): AppError {
  return new AppError("thread_busy", `Thread '${thread_id}' is currently in use by another request`);
}

function claimedRun(
  run: NewRun,
  started_at: Date,
  {
    lease_id,
    last_seq,
    is_fresh,
    metadata,
  }: Pick<ClaimedRun, "lease_id" | "last_seq" | "is_fresh" | "metadata">,
): ClaimedRun {
  const { run_id, thread_id, graph_id, assistant_id, kwargs, is_temporary } = run;
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
    started_at,
    waited_s: 0,
    last_seq,
    is_fresh,
    is_temporary,
    cancel_action: null,
  };
}

const columns = sql`run_id, thread_id, assistant_id, graph_id, status, metadata, kwargs, multitask_strategy,
  created_at, updated_at, attempt, error, output`;

const get =
  (db: SealingDb): RunStore["get"] =>
  async (runId, scope) => {
    const reached = onThreadWithin(scope, sql`runs.thread_id`);
    const [run] = await rows<RunRecord>(
      db,
      sql`select ${columns} from langgraph.runs where run_id = ${runId} and ${reached}`,
    );
    return run === undefined ? null : openRecord(db.cipher, run);
  };

const list =
  (db: SealingDb): RunStore["list"] =>
  async (threadId, scope, { limit, offset, status }) => {
    const found = await rows<RunRecord>(
      db,
      sql`
      select ${columns} from langgraph.runs
      where thread_id = ${threadId} and ${onThreadWithin(scope, sql`${threadId}`)} ${withStatus(status)}
      order by position desc limit ${limit} offset ${offset}`,
    );
    return found.map((run) => openRecord(db.cipher, run));
  };

const count =
  (db: Db): RunStore["count"] =>
  async (threadId, scope, status) => {
    const [found] = await rows<{ runs: number }>(
      db,
      sql`
      select count(*)::float8 as runs from langgraph.runs
      where thread_id = ${threadId} and ${onThreadWithin(scope, sql`${threadId}`)} ${withStatus(status)}`,
    );
    return found?.runs ?? 0;
  };

function withStatus(status: RunStatus | undefined): Sql {
  return status === undefined ? empty : sql`and status = ${status}`;
}

const remove =
  (db: Db): RunStore["remove"] =>
  async ({ run_id, thread_id }, scope) => {
    const removed = await rows(
      db,
      sql`
      with run as (
        delete from langgraph.runs
        where run_id = ${run_id} and thread_id = ${thread_id} and status not in ('pending', 'running')
          and ${onThreadWithin(scope, sql`${thread_id}`)}
        returning thread_id, run_id
      ), logged as (
        delete from langgraph.events e using run where e.thread_id = run.thread_id and e.run_id = run.run_id
      )
      select from run`,
    );
    return removed.length > 0;
  };
