/** The SQL of threads. */

import sql, { empty, join, type Sql } from "sql-template-tag";
import { EVERYTHING, isEverything, type Scope } from "../core/auth.ts";
import type { Thread } from "../core/model.ts";
import type {
  EditState,
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
} from "../core/thread-store.ts";
import { AppError } from "../errors.ts";
import { within } from "./access.ts";
import { makeOnce, remember } from "./idempotency.ts";
import { NO_RUN, STATE_UPDATE } from "../core/thread-log.ts";
import { sealJson, type Cipher, type SealingDb } from "./encryption.ts";
import type { Database } from "./pool.ts";
import { openThread, placeOf, sealEvents } from "./sealed.ts";
import { findSealed } from "./sealed-threads.ts";
import { rows, type Db } from "./sql.ts";
import { expiry, lifetime, loggedSeq } from "./thread-lifetime.ts";
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
    create: async (thread, scope, now) => {
      const make = async () => insert(database, thread, scope, now);
      return (await makeOnce(database, thread.idempotency, now, make)) ?? null;
    },
    get: async (thread_id, scope) => first(database, byId(thread_id, scope)),
    boundTo: async (thread_id, scope) => {
      const [found] = await rows<{ graph_id: string | null }>(
        database,
        sql`
        select metadata ->> 'graph_id' as graph_id from langgraph.threads
        where thread_id = ${thread_id} and ${within(scope)}`,
      );
      return found ?? null;
    },
    expiry: async (thread_id, scope) => {
      const [found] = await rows<ThreadExpiry>(
        database,
        sql`
        select ttl_strategy as strategy, ttl_minutes, expires_at from langgraph.threads
        where thread_id = ${thread_id} and expires_at is not null and ${within(scope)}`,
      );
      return found ?? null;
    },
    update: async (thread_id, scope, changes, now) =>
      first(database, update(sql`thread_id = ${thread_id} and ${within(scope)}`, changes, now)),
    remove: async (thread_ids, scope) => transaction(database, async (tx) => remove(tx, thread_ids, scope)),
    search: async (filter, scope, page) => {
      refuseValues(database.cipher, filter);
      return find(database, matches(filter, scope), page);
    },
    count: async (filter, scope, most) => {
      refuseValues(database.cipher, filter);
      const [found] = await rows<{ count: number }>(
        database,
        sql`
        select count(*)::float8 as count from (
          select from langgraph.threads where ${matches(filter, scope)} limit ${most ?? null}::bigint
        ) as counted`,
      );
      return found?.count ?? 0;
    },
  };
}

export function threadStateStore(database: Database): ThreadStateStore {
  return {
    edit: async (thread_id, scope, now, work) =>
      transaction(database, async (tx) => edit(tx, await lock(tx, thread_id, scope), now, work)),
    createWith: async (thread, scope, now, work) => {
      const make = async () =>
        transaction(database, async (tx) => {
          const created = await insert(tx, thread, scope, now);
          if (created === undefined) return undefined;
          await edit(tx, await lock(tx, thread.thread_id, EVERYTHING), now, work);
          return (await first(tx, byId(thread.thread_id, EVERYTHING))) ?? undefined;
        });
      return (await makeOnce(database, thread.idempotency, now, make)) ?? null;
    },
    copy: async (from, scope, to, now) =>
      copyThread(database, sql`thread_id = ${from} and ${within(scope)}`, from, to, now),
    prune: async (thread_ids, scope) => transaction(database, async (tx) => pruneIdle(tx, thread_ids, scope)),
    expire: async (now, limit) => transaction(database, async (tx) => expireIdle(tx, now, limit)),
  };
}

async function first(db: SealingDb, statement: Sql): Promise<Thread | null> {
  const [found] = await rows<Thread>(db, statement);
  return found === undefined ? null : openThread(db.cipher, found);
}

function update(which: Sql, { metadata, ttl }: ThreadChanges, now: Date): Sql {
  const lifetime =
    ttl === undefined
      ? empty
      : sql`, ttl_minutes = ${ttl.ttl_minutes}, ttl_strategy = ${ttl.strategy}, expires_at = ${expiry(ttl, now)}`;
  return sql`
    update langgraph.threads
    set metadata = metadata || ${JSON.stringify(metadata)}::jsonb, updated_at = ${now} ${lifetime}
    where ${which} returning ${columns}`;
}

function byId(thread_id: string, scope: Scope): Sql {
  return sql`select ${columns} from langgraph.threads where thread_id = ${thread_id} and ${within(scope)}`;
}

/** Undefined when there is one of this id. */
async function insert(
  db: Db,
  { thread_id, metadata, owner, ttl, idempotency }: StoredThread,
  scope: Scope,
  now: Date,
): Promise<Thread | undefined> {
  const [inserted] = await rows<Thread>(
    db,
    sql`
    with thread as (
      insert into langgraph.threads (thread_id, status, metadata, created_at, updated_at, state_updated_at,
        ttl_minutes, ttl_strategy, expires_at, owner, last_seq)
      select ${thread_id}, 'idle', ${JSON.stringify(metadata)}::jsonb, ${now}::timestamptz, ${now}::timestamptz, ${now}::timestamptz,
        ${lifetime(ttl, now)}, ${owner}::text, ${loggedSeq(thread_id)}
      where ${isFree(thread_id, scope)}
      on conflict (thread_id) do nothing returning ${columns}
    ) ${remember(idempotency, now, { part: sql`thread`, thread_id, run_id: null })}
    select ${columns} from thread`,
  );
  return inserted;
}

/** Whether there is nothing that a new thread of this id would take over and its maker could not see before. */
function isFree(thread_id: string, scope: Scope): Sql {
  if (isEverything(scope)) return sql`true`;
  return sql`not exists (select from public.checkpoints c where c.thread_id = ${thread_id})
    and not exists (select from langgraph.events e where e.thread_id = ${thread_id})`;
}

async function find(db: SealingDb, which: Sql, page: ThreadPage): Promise<readonly FoundThread[]> {
  if (db.cipher.newest !== undefined)
    return findSealed(db.cipher, page, async (all) => rows(db, search(which, all)));
  const found = await rows<FoundThread>(db, search(which, page));
  return found.map((thread) => openThread(db.cipher, thread));
}

/** The database compares values, and would find nothing in those that it cannot read. */
function refuseValues({ newest }: Cipher, { values = {} }: ThreadFilter): void {
  if (newest !== undefined && Object.keys(values).length > 0)
    throw new AppError(
      "invalid_request",
      "values: threads cannot be found by their values, as this server keeps them encrypted; find them by metadata",
    );
}

function search(which: Sql, { select, extract, sort_by, sort_order, limit, offset }: ThreadPage): Sql {
  const shown = select.map((field) => COLUMNS[field]);
  const direction = sort_order === "asc" ? sql`asc` : sql`desc`;
  const byId = sort_by === "thread_id" ? empty : sql`, thread_id ${direction}`;
  return sql`
    select ${join(extract === undefined ? shown : [...shown, extracted(extract)])} from langgraph.threads
    where ${which}
    order by ${COLUMNS[sort_by]} ${direction}${byId} limit ${limit} offset ${offset}`;
}

function extracted(extract: Readonly<Record<string, ThreadPath>>): Sql {
  const pairs = Object.entries(extract).map(
    ([alias, { field, path }]) => sql`${alias}::text, ${COLUMNS[field]} #> ${path}::text[]`,
  );
  return sql`jsonb_build_object(${pairs.length === 0 ? empty : join(pairs)}) as extracted`;
}

function matches({ metadata, values, status, ids }: ThreadFilter, scope: Scope): Sql {
  const conditions = [sql`not is_temporary`, within(scope)];
  if (metadata !== undefined && Object.keys(metadata).length > 0)
    conditions.push(sql`metadata @> ${JSON.stringify(metadata)}::jsonb`);
  if (values !== undefined && Object.keys(values).length > 0)
    conditions.push(sql`"values" @> ${JSON.stringify(values)}::jsonb`);
  if (status !== undefined) conditions.push(sql`status = ${status}`);
  if (ids !== undefined) conditions.push(sql`thread_id = any(${ids}::text[])`);
  return join(conditions, " and ");
}

/** The lock keeps runs from being admitted until the transaction ends. */
async function lock(db: SealingDb, thread_id: string, scope: Scope): Promise<EditedThread> {
  const [thread] = await rows<EditedThread & { active_runs: number }>(
    db,
    sql`
    select ${columns}, last_seq::float8 as last_seq, active_runs from langgraph.threads
    where thread_id = ${thread_id} and ${within(scope)} for update`,
  );
  if (thread === undefined) throw new AppError("not_found", `Thread '${thread_id}' not found`);
  if (thread.active_runs > 0) {
    throw new AppError("thread_busy", `Thread '${thread_id}' has a run that is pending or running`);
  }
  return openThread(db.cipher, thread);
}

interface EditedThread extends Thread {
  /** Its newest event. */
  readonly last_seq: number;
}

async function edit(transaction: Database, thread: EditedThread, now: Date, work: EditState): Promise<void> {
  const { thread_id } = thread;
  const { cipher } = transaction;
  const graph_id = thread.metadata["graph_id"]; // as the checkpoints of runs have it
  const { Checkpointer } = await import("./checkpoints.ts");
  const checkpointer = new Checkpointer(transaction, undefined, { graph_id });
  const { values, interrupts, told } = await work(checkpointer, thread);
  const seq = thread.last_seq + 1;
  const [logged] = sealEvents(cipher, { thread_id, run_id: NO_RUN }, [
    { seq, event: STATE_UPDATE, data: told },
  ]);
  const status = Object.keys(interrupts).length === 0 ? "idle" : "interrupted";
  await rows(
    transaction,
    sql`
    with logged as (
      insert into langgraph.events (thread_id, seq, run_id, event, data, created_at)
      values (${thread_id}, ${seq}, ${NO_RUN}::uuid, ${STATE_UPDATE}, ${logged?.data}, ${now}::timestamptz)
    )
    update langgraph.threads
    set last_seq = ${seq}, status = ${status}, "values" = ${sealJson(cipher, values, placeOf.values(thread_id))}::jsonb,
      interrupts = ${sealJson(cipher, interrupts, placeOf.interrupts(thread_id))}::jsonb,
      updated_at = ${now}, state_updated_at = ${now}
    where thread_id = ${thread_id}`,
  );
}

/** Contents belong to their thread: those of a copy are sealed anew. */
async function copyThread(database: Database, ...asked: Parameters<typeof copy>): Promise<Thread | null> {
  const [, from, { thread_id }] = asked;
  if (database.cipher.newest === undefined) return first(database, copy(...asked));
  return transaction(database, async (tx) => {
    const [copied] = await rows<Thread>(tx, copy(...asked));
    if (copied === undefined) return null;
    const { resealCopy } = await import("./reseal.ts");
    await resealCopy(tx, { from, to: thread_id });
    return first(tx, byId(thread_id, EVERYTHING));
  });
}

/** What names the thread in metadata names the new one. A run that is under way is not copied, only what it has saved. */
function copy(
  which: Sql,
  from: string,
  { thread_id: to, metadata, without, owner, ttl }: Parameters<ThreadStateStore["copy"]>[2],
  now: Date,
): Sql {
  const renamed = sql`case when metadata ? 'thread_id' then metadata || jsonb_build_object('thread_id', ${to}::text) else metadata end`;
  const theirs = sql`where thread_id = ${from} and exists (select from thread)`;
  return sql`
    with thread as (
      insert into langgraph.threads (thread_id, status, metadata, "values", interrupts, created_at, updated_at, state_updated_at,
        ttl_minutes, ttl_strategy, expires_at, owner)
      select ${to}, case when status <> 'busy' then status when interrupts = '{}' then 'idle' else 'interrupted' end,
        (${renamed}) - ${without}::text[] || ${JSON.stringify(metadata)}::jsonb, "values", interrupts, ${now}::timestamptz, ${now}::timestamptz, ${now}::timestamptz,
        ${lifetime(ttl, now)}, ${owner}::text
      from langgraph.threads where ${which}
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
