/** How items are stored and deleted: all that are asked for in one statement. */

import sql, { empty, type Sql } from "sql-template-tag";
import type { ItemName, StoredWrite } from "../core/store.ts";
import { AppError } from "../errors.ts";
import type { Database } from "./pool.ts";
import { rows, type Db } from "./sql.ts";
import { live, reached, type Reach } from "./store-conditions.ts";
import { writeVectors, type VectorTable } from "./store-vectors.ts";
import { retryingDeadlocks, transaction } from "./transaction.ts";

/** @throws AppError `forbidden`, `not_found` for what is out of reach */
export async function write(
  database: Database,
  writes: readonly StoredWrite[],
  { table, reach }: { readonly table: VectorTable | undefined; readonly reach: Reach },
  now: Date,
): Promise<void> {
  const rest = table === undefined ? sql`select from written` : writeVectors(table, writes, now);
  const statement = sql`${written(writes, reach, now)} ${rest}`;
  if (reach === undefined) {
    await retryingDeadlocks(async () => rows(database, statement));
    return;
  }
  await transaction(database, async (tx) => {
    const { is_hidden, is_absent, is_wrong } = await outOfReach(tx, writes, reach, now);
    if (is_hidden || is_absent) throw missing();
    if (is_wrong) throw new AppError("forbidden", "The item is not one that the caller may store");
    await rows(tx, statement);
    // What somebody else has written meanwhile is still there.
    if ((await outOfReach(tx, writes, reach, now)).is_hidden) throw missing();
  });
}

/** Sorted, so that two that write the same items wait for each other in turn. */
function written(writes: readonly StoredWrite[], reach: Reach, now: Date): Sql {
  const asked = JSON.stringify(
    writes.map(({ namespace, key, value, ttl_minutes, expires_at }) => ({
      namespace,
      key,
      value,
      ttl_minutes,
      expires_at,
    })),
  );
  const isReached =
    reach === undefined
      ? undefined
      : sql`(item.expires_at <= ${now}::timestamptz or (
          select ${reached(reach)} from (select item.namespace, item.key, item.value) as item))`;
  return sql`
    with asked as materialized (
      select namespace collate "C" as namespace, key collate "C" as key, value, ttl_minutes, expires_at
      from jsonb_to_recordset(${asked}::jsonb)
        as asked (namespace text[], key text, value jsonb, ttl_minutes float8, expires_at timestamptz)
      order by 1, 2
    ), deleted as (
      delete from langgraph.store_items as item using asked
      where item.namespace = asked.namespace and item.key = asked.key and asked.value is null
        ${isReached === undefined ? empty : sql`and ${isReached}`}
    ), written as (
      insert into langgraph.store_items as item (namespace, key, value, created_at, updated_at, expires_at, ttl_minutes)
      select namespace, key, value, ${now}::timestamptz, ${now}::timestamptz, expires_at, ttl_minutes
      from asked where value is not null
      on conflict (namespace, key) do update set
        value = excluded.value, updated_at = excluded.updated_at,
        expires_at = excluded.expires_at, ttl_minutes = excluded.ttl_minutes,
        created_at = case when item.expires_at <= excluded.updated_at then excluded.created_at else item.created_at end
      ${isReached === undefined ? empty : sql`where ${isReached}`}
      returning namespace, key
    )`;
}

interface OutOfReach {
  /** An item of one of the names. */
  readonly is_hidden: boolean;
  /** One that is to be deleted, if there were one: whether there is, is not told. */
  readonly is_absent: boolean;
  /** What is to be stored. */
  readonly is_wrong: boolean;
}

async function outOfReach(
  db: Db,
  writes: readonly StoredWrite[],
  reach: Reach,
  now: Date,
): Promise<OutOfReach> {
  const asked = JSON.stringify(writes.map(({ namespace, key, value }) => ({ namespace, key, value })));
  const [found] = await rows<OutOfReach>(
    db,
    sql`
    with asked as materialized (
      select namespace collate "C" as namespace, key collate "C" as key, value
      from jsonb_to_recordset(${asked}::jsonb) as asked (namespace text[], key text, value jsonb)
    ), present as (
      select namespace, key, item.value from asked join langgraph.store_items as item using (namespace, key)
      where ${live(now)}
    ), absent as (
      select namespace, key, '{}'::jsonb as value from asked
      where value is null and not exists (
        select from present where present.namespace = asked.namespace and present.key = asked.key)
    )
    select exists (select from present where not ${reached(reach)}) as is_hidden,
      exists (select from absent where not ${reached(reach)}) as is_absent,
      exists (select from asked where value is not null and not ${reached(reach)}) as is_wrong`,
  );
  return found ?? { is_hidden: true, is_absent: true, is_wrong: true };
}

function missing(): AppError {
  return new AppError("not_found", "Item not found");
}

/** For `jsonb_to_recordset`. */
export function names(items: readonly ItemName[]): string {
  return JSON.stringify(items.map(({ namespace, key }) => ({ namespace, key })));
}
