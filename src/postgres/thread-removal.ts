/** The SQL that deletes threads, or what led to their newest state. Each runs in a transaction of the caller's. */

import sql, { type Sql } from "sql-template-tag";
import { EVERYTHING, type Scope } from "../core/auth.ts";
import type { Thread, PruneStrategy } from "../core/model.ts";
import type { Expired } from "../core/thread-store.ts";
import { within } from "./access.ts";
import { rows, type Db } from "./sql.ts";

/**
 * Runs go first: their executors lock a run before its thread, too. Checkpoints go last and in statements of their own,
 * which see what an executor has written until its run was gone; after that, its lease lets it write nothing more.
 * @returns those of the threads that there were
 */
export async function remove(db: Db, thread_ids: readonly string[], scope: Scope): Promise<string[]> {
  const reached = sql`thread_id = any(${thread_ids}::text[]) and ${within(scope)}`;
  await rows(
    db,
    sql`delete from langgraph.runs where thread_id in (select thread_id from langgraph.threads where ${reached})`,
  );
  const removed = await rows<{ thread_id: string }>(
    db,
    sql`delete from langgraph.threads where ${reached} returning thread_id`,
  );
  const ids = removed.map(({ thread_id }) => thread_id);
  const theirs = sql`thread_id = any(${ids}::text[])`;
  await rows(
    db,
    sql`
    with event as (delete from langgraph.events where ${theirs}),
      blob as (delete from public.checkpoint_blobs where ${theirs}),
      write as (delete from public.checkpoint_writes where ${theirs})
    delete from public.checkpoints where ${theirs}`,
  );
  return ids;
}

interface IdleThread extends Pick<Thread, "thread_id" | "metadata"> {
  readonly ttl_strategy: PruneStrategy | null;
}

/** Threads that no run is active on, nor will be before the transaction ends. */
async function lockIdle(db: Db, which: Sql): Promise<readonly IdleThread[]> {
  return rows<IdleThread>(
    db,
    sql`
    select thread_id, metadata, ttl_strategy from langgraph.threads
    where ${which} and active_runs = 0 order by thread_id for update skip locked`,
  );
}

export async function expireIdle(transaction: Db, now: Date, limit: number): Promise<Expired> {
  const due = sql`thread_id in (
    select thread_id from langgraph.threads where expires_at <= ${now} and active_runs = 0 order by expires_at limit ${limit})`;
  const expired = await lockIdle(transaction, due);
  const gone = expired.filter(({ ttl_strategy }) => ttl_strategy === "delete");
  const kept = expired.filter(({ ttl_strategy }) => ttl_strategy === "keep_latest");
  if (gone.length > 0) await remove(transaction, idsOf(gone), EVERYTHING);
  if (kept.length > 0) {
    await prune(transaction, idsOf(kept));
    await rows(
      transaction,
      sql`
      update langgraph.threads set expires_at = ${now}::timestamptz + make_interval(secs => ttl_minutes * 60)
      where thread_id = any(${idsOf(kept)}::text[])`,
    );
  }
  return { removed: gone, pruned: kept.length };
}

function idsOf(threads: readonly IdleThread[]): string[] {
  return threads.map(({ thread_id }) => thread_id);
}

/** @returns how many there were */
export async function pruneIdle(
  transaction: Db,
  thread_ids: readonly string[],
  scope: Scope,
): Promise<number> {
  const idle = await lockIdle(transaction, sql`thread_id = any(${thread_ids}::text[]) and ${within(scope)}`);
  await prune(transaction, idsOf(idle));
  return idle.length;
}

/** Keeps the newest checkpoint of each namespace, what was written after it, and the values that it refers to. */
async function prune(transaction: Db, thread_ids: readonly string[]): Promise<void> {
  const theirs = sql`thread_id = any(${thread_ids}::text[])`;
  await rows(
    transaction,
    sql`
    with kept as materialized (
      select distinct on (thread_id, checkpoint_ns) thread_id, checkpoint_ns, checkpoint_id, checkpoint -> 'channel_versions' as versions
      from public.checkpoints where ${theirs} order by thread_id, checkpoint_ns, checkpoint_id desc
    ), first as (
      update public.checkpoints c set parent_checkpoint_id = null from kept k
      where (c.thread_id, c.checkpoint_ns, c.checkpoint_id) = (k.thread_id, k.checkpoint_ns, k.checkpoint_id)
    ), write as (
      delete from public.checkpoint_writes w using kept k
      where w.thread_id = k.thread_id and w.checkpoint_ns = k.checkpoint_ns and w.checkpoint_id <> k.checkpoint_id
    ), blob as (
      delete from public.checkpoint_blobs b using kept k
      where b.thread_id = k.thread_id and b.checkpoint_ns = k.checkpoint_ns
        and (k.versions ->> b.channel) is distinct from b.version
    )
    delete from public.checkpoints c using kept k
    where c.thread_id = k.thread_id and c.checkpoint_ns = k.checkpoint_ns and c.checkpoint_id <> k.checkpoint_id`,
  );
}
