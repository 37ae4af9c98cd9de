/** The SQL of threads. */

import sql, { empty, join, type Sql } from "sql-template-tag";
import type { Thread } from "../core/model.ts";
import type {
  FoundThread,
  ThreadChanges,
  ThreadExpiry,
  ThreadPath,
  ThreadField,
  ThreadFilter,
  ThreadPage,
  ThreadStateStore,
  ThreadStore,
  StoredThread,
} from "../core/threads.ts";
import { AppError } from "../errors.ts";
import { makeOnce, remember } from "./idempotency.ts";
import { NO_RUN, STATE_UPDATE } from "../core/thread-log.ts";
import type { Database } from "./pool.ts";
import { rows, type Db } from "./sql.ts";
import { expiry, lifetime } from "./thread-lifetime.ts";
import { expireIdle, pruneIdle, remove } from "./thread-removal.ts";
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
    create: async (thread, now) =>
      (await makeOnce(database, thread.idempotency, now, async () => insert(database, thread, now))) ?? null,
    get: async (thread_id) => first(rows<Thread>(database, byId(thread_id))),
    expiry: async (thread_id) =>
      first(
        rows<ThreadExpiry>(
          database,
          sql`
          select ttl_strategy as strategy, ttl_minutes, expires_at from langgraph.threads
          where thread_id = ${thread_id} and expires_at is not null`,
        ),
      ),
    update: async (thread_id, changes, now) => first(rows<Thread>(database, update(thread_id, changes, now))),
    remove: async (thread_ids) => transaction(database, async (tx) => remove(tx, thread_ids)),
    search: async (filter, page) => rows<FoundThread>(database, search(filter, page)),
    count: async (filter, most) => {
      const [found] = await rows<{ count: number }>(
        database,
        sql`
        select count(*)::float8 as count from (
          select from langgraph.threads where ${matches(filter)} limit ${most ?? null}::bigint
        ) as counted`,
      );
      return found?.count ?? 0;
    },
  };
}

export function threadStateStore(database: Database): ThreadStateStore {
  return {
    edit: async (thread_id, now, work) =>
      transaction(database, async (tx) => edit(tx, await lock(tx, thread_id), now, work)),
    createWith: async (thread, now, work) => {
      const make = async () =>
        transaction(database, async (tx) => {
          const created = await insert(tx, thread, now);
          if (created === undefined) return undefined;
          await edit(tx, created, now, work);
          return (await first(rows<Thread>(tx, byId(thread.thread_id)))) ?? undefined;
        });
      return (await makeOnce(database, thread.idempotency, now, make)) ?? null;
    },
    copy: async (from, to, now) => first(rows<Thread>(database, copy(from, to, now))),
    prune: async (thread_ids) => transaction(database, async (tx) => pruneIdle(tx, thread_ids)),
    expire: async (now, limit) => transaction(database, async (tx) => expireIdle(tx, now, limit)),
  };
}

async function first<T>(found: Promise<readonly T[]>): Promise<T | null> {
  return (await found)[0] ?? null;
}

function update(thread_id: string, { metadata, ttl }: ThreadChanges, now: Date): Sql {
  const lifetime =
    ttl === undefined
      ? empty
      : sql`, ttl_minutes = ${ttl.ttl_minutes}, ttl_strategy = ${ttl.strategy}, expires_at = ${expiry(ttl, now)}`;
  return sql`
    update langgraph.threads
    set metadata = metadata || ${JSON.stringify(metadata)}::jsonb, updated_at = ${now} ${lifetime}
    where thread_id = ${thread_id} returning ${columns}`;
}

function byId(thread_id: string): Sql {
  return sql`select ${columns} from langgraph.threads where thread_id = ${thread_id}`;
}

/** Undefined when there is one of this id. */
async function insert(
  db: Db,
  { thread_id, metadata, ttl, idempotency }: StoredThread,
  now: Date,
): Promise<Thread | undefined> {
  const [inserted] = await rows<Thread>(
    db,
    sql`
    with thread as (
      insert into langgraph.threads (thread_id, status, metadata, created_at, updated_at, state_updated_at,
        ttl_minutes, ttl_strategy, expires_at)
      values (${thread_id}, 'idle', ${JSON.stringify(metadata)}::jsonb, ${now}, ${now}, ${now},
        ${lifetime(ttl, now)})
      on conflict (thread_id) do nothing returning ${columns}
    ) ${remember(idempotency, now, { part: sql`thread`, thread_id, run_id: null })}
    select ${columns} from thread`,
  );
  return inserted;
}

function search(
  filter: ThreadFilter,
  { select, extract, sort_by, sort_order, limit, offset }: ThreadPage,
): Sql {
  const shown = select.map((field) => COLUMNS[field]);
  const direction = sort_order === "asc" ? sql`asc` : sql`desc`;
  const byId = sort_by === "thread_id" ? empty : sql`, thread_id ${direction}`;
  return sql`
    select ${join(extract === undefined ? shown : [...shown, extracted(extract)])} from langgraph.threads
    where ${matches(filter)}
    order by ${COLUMNS[sort_by]} ${direction}${byId} limit ${limit} offset ${offset}`;
}

function extracted(extract: Readonly<Record<string, ThreadPath>>): Sql {
  const pairs = Object.entries(extract).map(
    ([alias, { field, path }]) => sql`${alias}::text, ${COLUMNS[field]} #> ${path}::text[]`,
  );
  return sql`jsonb_build_object(${pairs.length === 0 ? empty : join(pairs)}) as extracted`;
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
  const { values, interrupts, told } = await work(checkpointer, thread);
  const status = Object.keys(interrupts).length === 0 ? "idle" : "interrupted";
  await rows(
    transaction,
    sql`
    with logged as (
      insert into langgraph.events (thread_id, seq, run_id, event, data, created_at)
      select thread_id, last_seq + 1, ${NO_RUN}::uuid, ${STATE_UPDATE}, ${told}, ${now}::timestamptz
      from langgraph.threads where thread_id = ${thread_id}
    )
    update langgraph.threads
    set last_seq = last_seq + 1, status = ${status}, "values" = ${JSON.stringify(values)}::jsonb, interrupts = ${JSON.stringify(interrupts)}::jsonb,
      updated_at = ${now}, state_updated_at = ${now}
    where thread_id = ${thread_id}`,
  );
}

/** What names the thread in metadata names the new one. A run that is under way is not copied, only what it has saved. */
function copy(from: string, { thread_id: to, ttl }: Pick<StoredThread, "thread_id" | "ttl">, now: Date): Sql {
  const renamed = sql`case when metadata ? 'thread_id' then metadata || jsonb_build_object('thread_id', ${to}::text) else metadata end`;
  const theirs = sql`where thread_id = ${from} and exists (select from thread)`;
  return sql`
    with thread as (
      insert into langgraph.threads (thread_id, status, metadata, "values", interrupts, created_at, updated_at, state_updated_at,
        ttl_minutes, ttl_strategy, expires_at)
      select ${to}, case when status <> 'busy' then status when interrupts = '{}' then 'idle' else 'interrupted' end,
        ${renamed}, "values", interrupts, ${now}::timestamptz, ${now}::timestamptz, ${now}::timestamptz, ${lifetime(ttl, now)}
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
