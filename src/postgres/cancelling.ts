/** The SQL of stopping runs, and of finding those that come after them. */

import sql, { empty, type Sql } from "sql-template-tag";
import type { RunSelection, RunStore } from "../core/ports.ts";
import { onThreadWithin } from "./access.ts";
import type { Database } from "./pool.ts";
import { rows, type Db } from "./sql.ts";
import { transaction } from "./transaction.ts";
import { deliveries, webhookColumns } from "./webhooks.ts";

export const cancel =
  (database: Database): RunStore["cancel"] =>
  async (...asked) => {
    const cancelled = await transaction(database, async (tx) => {
      const found = await stop(tx, ...asked);
      const [, action] = asked;
      const gone = found.filter(
        ({ status, is_temporary }) => status === "interrupted" && (is_temporary || action === "rollback"),
      );
      if (gone.length > 0) await erase(tx, gone);
      return found;
    });
    const ended = cancelled.filter(({ status }) => status === "interrupted");
    const between = cancelled.flatMap(({ status, run_id }) => (status === "pending" ? [run_id] : []));
    const next = await nextRuns(database, [...new Set(ended.map(({ thread_id }) => thread_id))]);
    const told = cancelled.filter(({ is_told }) => is_told);
    return [
      ...[...between, ...next].map((run_id) => ({ run_id })),
      ...told.map(({ run_id }) => ({ webhook_id: run_id })),
    ];
  };

async function stop(
  db: Db,
  ...[which, action, now, reason]: Parameters<RunStore["cancel"]>
): Promise<readonly CancelledRun[]> {
  const why = reason === undefined ? {} : { cancel_reason: `${reason}:client` };
  const notBegun = sql`r.status = 'pending' and r.claims = 0`;
  return rows<CancelledRun>(
    db,
    sql`
      with target as (
        select r.run_id as target_id from langgraph.runs r
        where r.status in ('pending', 'running') and ${onThreadWithin(which.scope, sql`r.thread_id`)} ${selected(which)}
        order by r.position for update
      ), stopped as (
        update langgraph.runs r
        set status = case when ${notBegun} then 'interrupted' else r.status end,
          cancel_action = case when ${notBegun} then null else ${action} end, updated_at = ${now},
          metadata = r.metadata || ${JSON.stringify(why)}::jsonb
        from target where r.run_id = target_id and r.status in ('pending', 'running')
        returning ${webhookColumns}, r.status
      ), webhook as (
        ${deliveries(sql`stopped`, now, { status: action === "rollback" ? "rollback" : "interrupted" })} and status = 'interrupted'
        returning webhook_id
      ), ended as (
        select thread_id, count(*)::int as runs from stopped where status = 'interrupted' group by thread_id
      ), thread as (
        update langgraph.threads t
        set active_runs = t.active_runs - ended.runs, updated_at = ${now}, status = case
          when t.active_runs > ended.runs then 'busy' when t.interrupts = '{}' then 'idle' else 'interrupted' end
        from ended where t.thread_id = ended.thread_id
      )
      select run_id, thread_id, status, run_id in (select webhook_id from webhook) as is_told, (select is_temporary from langgraph.threads t where t.thread_id = stopped.thread_id)
      from stopped`,
  );
}

interface CancelledRun {
  readonly run_id: string;
  readonly thread_id: string;
  /** `interrupted` when it had not begun, and will not; `pending` when it is between two executors. */
  readonly status: "interrupted" | "pending" | "running";
  readonly is_temporary: boolean;
  /** Whether its webhook is to be told. */
  readonly is_told: boolean;
}

/**
 * The run of each thread that waits first. A statement of its own, after the one that has ended a run: of two which end
 * runs of a thread at once, the later one sees what the other has left.
 */
export async function nextRuns(db: Db, threadIds: readonly string[]): Promise<string[]> {
  if (threadIds.length === 0) return [];
  const found = await rows<{ run_id: string }>(
    db,
    sql`
    select distinct on (thread_id) run_id from langgraph.runs
    where thread_id = any(${threadIds}::text[]) and status = 'pending' and due_at <= now() order by thread_id, position`,
  );
  return found.map(({ run_id }) => run_id);
}

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
