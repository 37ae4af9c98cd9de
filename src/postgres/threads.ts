/** The SQL of threads. */

import sql, { empty, join, type Sql } from "sql-template-tag";
import type { Thread } from "../core/model.ts";
import type {
  ThreadField,
  ThreadFilter,
  ThreadPage,
  ThreadStateStore,
  ThreadStore,
} from "../core/threads.ts";
import { AppError } from "../errors.ts";
import type { Database } from "./pool.ts";
import { rows, type Db } from "./sql.ts";
import { transaction } from "./transaction.ts";

const COLUMNS: Readonly<Record<ThreadField, Sql>> = {
  thread_id: sql`thread_id`,
  created_at: sql`created_at`,
  updated_at: sql`updated_at`,
  state_updated_at: sql`state_updated_at`,
  metadata: sql`metadata`,
  config: sql`config`,
  status: sql`status`,
  values: sql`"values"`,
  interrupts: sql`interrupts`,
};
const columns = join(Object.values(COLUMNS));

export function threadStore(database: Database): ThreadStore {
  return {
    create: async (thread_id, metadata, now) => insert(database, { thread_id, metadata }, now),
    get: async (thread_id) =>
      first(
        rows<Thread>(database, sql`select ${columns} from langgraph.threads where thread_id = ${thread_id}`),
      ),
    update: async (thread_id, metadata, now) =>
      first(
        rows<Thread>(
          database,
          sql`
          update langgraph.threads set metadata = metadata || ${JSON.stringify(metadata)}::jsonb, updated_at = ${now}
          where thread_id = ${thread_id} returning ${columns}`,
        ),
      ),
    remove: async (thread_ids) => transaction(database, async (tx) => remove(tx, thread_ids)),
    search: async (filter, page) => rows<Partial<Thread>>(database, search(filter, page)),
    count: async (filter) => {
      const [found] = await rows<{ count: number }>(
        database,
        sql`select count(*)::float8 as count from langgraph.threads where ${matches(filter)}`,
      );
      return found?.count ?? 0;
    },
  };
}

export function threadStateStore(database: Database): ThreadStateStore {
  return {
    edit: async (thread_id, now, work) =>
      transaction(database, async (tx) => edit(tx, await lock(tx, thread_id), now, work)),
    createWith: async (thread, now, work) =>
      transaction(database, async (tx) => {
        const created = await insert(tx, thread, now);
        if (created === null) return null;
        await edit(tx, created, now, work);
        return first(
          rows<Thread>(
            tx,
            sql`select ${columns} from langgraph.threads where thread_id = ${thread.thread_id}`,
          ),
        );
      }),
    copy: async (from, to, now) => first(rows<Thread>(database, copy(from, to, now))),
  };
}

async function first<T>(found: Promise<readonly T[]>): Promise<T | null> {
  return (await found)[0] ?? null;
}

async function insert(
  db: Db,
  { thread_id, metadata }: Pick<Thread, "thread_id" | "metadata">,
  now: Date,
): Promise<Thread | null> {
  const inserted = rows<Thread>(
    db,
    sql`
    insert into langgraph.threads (thread_id, status, metadata, created_at, updated_at, state_updated_at)
    values (${thread_id}, 'idle', ${JSON.stringify(metadata)}::jsonb, ${now}, ${now}, ${now})
    on conflict (thread_id) do nothing returning ${columns}`,
  );
  return first(inserted);
}

/**
 * Runs go first: their executors lock a run before its thread, too. Checkpoints go last and in statements of their own,
 * which see what an executor has written until its run was gone; after that, its lease lets it write nothing more.
 */
async function remove(db: Db, thread_ids: readonly string[]): Promise<number> {
  const theirs = sql`thread_id = any(${thread_ids}::text[])`;
  await rows(db, sql`delete from langgraph.runs where ${theirs}`);
  const removed = await rows(db, sql`delete from langgraph.threads where ${theirs} returning thread_id`);
  await rows(
    db,
    sql`
    with event as (delete from langgraph.events where ${theirs}),
      blob as (delete from public.checkpoint_blobs where ${theirs}),
      write as (delete from public.checkpoint_writes where ${theirs})
    delete from public.checkpoints where ${theirs}`,
  );
  return removed.length;
}

function search(filter: ThreadFilter, { select, sort_by, sort_order, limit, offset }: ThreadPage): Sql {
  const direction = sort_order === "asc" ? sql`asc` : sql`desc`;
  const byId = sort_by === "thread_id" ? empty : sql`, thread_id ${direction}`;
  return sql`
    select ${join(select.map((field) => COLUMNS[field]))} from langgraph.threads
    where ${matches(filter)}
    order by ${COLUMNS[sort_by]} ${direction}${byId} limit ${limit} offset ${offset}`;
}

function matches({ metadata, values, status, ids }: ThreadFilter): Sql {
  const conditions = [sql`not is_temporary`];
  if (metadata !== undefined && Object.keys(metadata).length > 0)
    conditions.push(sql`metadata @> ${JSON.stringify(metadata)}::jsonb`);
  if (values !== undefined && Object.keys(values).length > 0)
    conditions.push(sql`"values" @> ${JSON.stringify(values)}::jsonb`);
  if (status !== undefined) conditions.push(sql`status = ${status}`);
  if (ids !== undefined) conditions.push(sql`thread_id = any(${ids}::text[])`);
  return join(conditions, " and ");
}

/** The lock keeps runs from being admitted until the transaction ends. */
async function lock(db: Db, thread_id: string): Promise<Thread> {
  const [thread] = await rows<Thread & { active_runs: number }>(
    db,
    sql`select ${columns}, active_runs from langgraph.threads where thread_id = ${thread_id} for update`,
  );
  if (thread === undefined) throw new AppError("not_found", `Thread '${thread_id}' not found`);
  if (thread.active_runs > 0) {
    throw new AppError("thread_busy", `Thread '${thread_id}' has a run that is pending or running`);
  }
  return thread;
}

async function edit(
  transaction: Database,
  thread: Thread,
  now: Date,
  work: Parameters<ThreadStateStore["edit"]>[2],
): Promise<void> {
  const { thread_id } = thread;
  const graph_id = thread.metadata["graph_id"]; // as the checkpoints of runs have it
  const { Checkpointer } = await import("./checkpoints.ts");
  const checkpointer = new Checkpointer(transaction, undefined, { graph_id });
  const { values, interrupts } = await work(checkpointer, thread);
  const status = Object.keys(interrupts).length === 0 ? "idle" : "interrupted";
  await rows(
    transaction,
    sql`
    update langgraph.threads
    set status = ${status}, "values" = ${JSON.stringify(values)}::jsonb, interrupts = ${JSON.stringify(interrupts)}::jsonb,
      updated_at = ${now}, state_updated_at = ${now}
    where thread_id = ${thread_id}`,
  );
}

/** What names the thread in metadata names the new one. A run that is under way is not copied, only what it has saved. */
function copy(from: string, to: string, now: Date): Sql {
  const renamed = sql`case when metadata ? 'thread_id' then metadata || jsonb_build_object('thread_id', ${to}::text) else metadata end`;
  const theirs = sql`where thread_id = ${from} and exists (select from thread)`;
  return sql`
    with thread as (
      insert into langgraph.threads (thread_id, status, metadata, "values", interrupts, created_at, updated_at, state_updated_at)
      select ${to}, case when status <> 'busy' then status when interrupts = '{}' then 'idle' else 'interrupted' end,
        ${renamed}, "values", interrupts, ${now}::timestamptz, ${now}::timestamptz, ${now}::timestamptz
      from langgraph.threads where thread_id = ${from}
      returning ${columns}
    ), checkpoint as (
      insert into public.checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata)
      select ${to}, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, ${renamed}
      from public.checkpoints ${theirs}
    ), blob as (
      insert into public.checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
      select ${to}, checkpoint_ns, channel, version, type, blob from public.checkpoint_blobs ${theirs}
    ), write as (
      insert into public.checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, blob)
      select ${to}, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, blob from public.checkpoint_writes ${theirs}
    )
    select ${columns} from thread`;
}
