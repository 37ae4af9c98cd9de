/** The SQL of the store. */

import sql, { empty, join, type Sql } from "sql-template-tag";
import {
  nameOf,
  type FoundItem,
  type Item,
  type ItemName,
  type ItemStore,
  type NamespaceQuery,
  type StoredSearch,
  type StoredWrite,
} from "../core/store.ts";
import { AppError } from "../errors.ts";
import { sealValue, type Cipher, type SealingDb } from "./encryption.ts";
import type { Database } from "./pool.ts";
import { openItem, placeOf } from "./sealed.ts";
import { rows } from "./sql.ts";
import { below, holds, live, matches, refreshed } from "./store-conditions.ts";
import { searchNearest, vectorTable, writeVectors } from "./store-vectors.ts";
import { retryingDeadlocks } from "./transaction.ts";

const columns = sql`namespace, key, value, created_at, updated_at`;

/** `dims` are those of the vectors, where items are found by meaning. */
export function itemStore(database: Database, dims?: number): ItemStore {
  const vectors = vectorTable(database, dims);
  return {
    read: async (asked, now) => {
      if (asked.length === 0) return [];
      const found = await rows<Item>(database, read(asked, now));
      const byName = new Map(found.map((item) => [nameOf(item), openItem(database.cipher, item)]));
      return asked.map((name) => byName.get(nameOf(name)) ?? null);
    },
    write: async (writes, now) => {
      if (writes.length === 0) return;
      const hasVectors = writes.some((each) => each.vectors.length > 0);
      const table = hasVectors ? await vectors() : undefined;
      const rest = table === undefined ? sql`select from written` : writeVectors(table, writes, now);
      await retryingDeadlocks(async () =>
        rows(database, sql`${write(database.cipher, writes, now)} ${rest}`),
      );
    },
    search: async (searches, now) => {
      refuseFilters(database.cipher, searches);
      const plain = searches.filter(({ near }) => near === undefined);
      const found = await searchPlain(database, plain, now);
      return Promise.all(
        searches.map(async ({ near, ...search }) => {
          if (near === undefined) return found.shift() ?? [];
          const nearest = await searchNearest(database, await vectors(), { ...search, near }, now);
          return nearest.map((item) => openItem(database.cipher, item));
        }),
      );
    },
    namespaces: async (query, now) => {
      const found = await rows<Pick<Item, "namespace">>(database, namespaces(query, now));
      return found.map(({ namespace }) => namespace);
    },
    sweep: async (now, limit) => {
      const swept = await rows(
        database,
        sql`
        delete from langgraph.store_items where (namespace, key) in (
          select namespace, key from langgraph.store_items where expires_at <= ${now}::timestamptz
          order by expires_at limit ${limit} for update skip locked
        ) returning key`,
      );
      return swept.length;
    },
  };
}

/** The database compares values, and would find nothing in those that it cannot read. */
function refuseFilters({ newest }: Cipher, searches: readonly StoredSearch[]): void {
  if (newest !== undefined && searches.some(({ conditions }) => conditions.length > 0))
    throw new AppError(
      "invalid_request",
      "filter: values cannot be compared, as this server keeps them encrypted; find items by their namespace, or by a query",
    );
}

function read(asked: readonly (ItemName & { readonly refreshes: boolean })[], now: Date): Sql {
  const refreshing = asked.filter(({ refreshes }) => refreshes);
  const statement = sql`
    with asked as (
      select distinct namespace collate "C" as namespace, key collate "C" as key
      from jsonb_to_recordset(${names(asked)}::jsonb) as asked (namespace text[], key text)
    ), found as (
      select ${columns} from asked join langgraph.store_items using (namespace, key) where ${live(now)}
    )`;
  const isRefreshed = sql`exists (
    select from jsonb_to_recordset(${names(refreshing)}::jsonb) as asked (namespace text[], key text)
    where asked.namespace collate "C" = found.namespace and asked.key collate "C" = found.key)`;
  const refreshes = refreshing.length === 0 ? empty : sql`, ${refreshed(now, isRefreshed)}`;
  return sql`${statement}${refreshes} select ${columns} from found`;
}

function names(items: readonly ItemName[]): string {
  return JSON.stringify(items.map(({ namespace, key }) => ({ namespace, key })));
}

/** Sorted, so that two that write the same items wait for each other in turn. */
function write(cipher: Cipher, writes: readonly StoredWrite[], now: Date): Sql {
  const asked = JSON.stringify(
    writes.map(({ namespace, key, value, ttl_minutes, expires_at }) => ({
      namespace,
      key,
      value: sealValue(cipher, value, placeOf.item({ namespace, key })),
      ttl_minutes,
      expires_at,
    })),
  );
  return sql`
    with asked as materialized (
      select namespace collate "C" as namespace, key collate "C" as key, value, ttl_minutes, expires_at
      from jsonb_to_recordset(${asked}::jsonb)
        as asked (namespace text[], key text, value jsonb, ttl_minutes float8, expires_at timestamptz)
      order by 1, 2
    ), deleted as (
      delete from langgraph.store_items as item using asked
      where item.namespace = asked.namespace and item.key = asked.key and asked.value is null
    ), written as (
      insert into langgraph.store_items as item (namespace, key, value, created_at, updated_at, expires_at, ttl_minutes)
      select namespace, key, value, ${now}::timestamptz, ${now}::timestamptz, expires_at, ttl_minutes
      from asked where value is not null
      on conflict (namespace, key) do update set
        value = excluded.value, updated_at = excluded.updated_at,
        expires_at = excluded.expires_at, ttl_minutes = excluded.ttl_minutes,
        created_at = case when item.expires_at <= excluded.updated_at then excluded.created_at else item.created_at end
      returning namespace, key
    )`;
}

/** One statement for all searches. */
async function searchPlain(
  db: SealingDb,
  searches: readonly StoredSearch[],
  now: Date,
): Promise<FoundItem[][]> {
  if (searches.length === 0) return [];
  const parts = searches.map(
    ({ namespace_prefix, conditions, limit, offset, refreshes }, position) => sql`(
      select ${position}::int as position, ${refreshes}::boolean as refreshes, ${columns}
      from langgraph.store_items
      where ${join([live(now), below(namespace_prefix), ...conditions.map(holds)], " and ")}
      order by updated_at desc, namespace, key limit ${limit} offset ${offset})`,
  );
  const refreshes = searches.some((search) => search.refreshes)
    ? sql`, ${refreshed(now, sql`found.refreshes`)}`
    : empty;
  const found = await rows<FoundItem & { readonly position: number }>(
    db,
    sql`
    with found as (${join(parts, " union all ")})${refreshes}
    select position, ${columns}, null::float8 as score from found order by position, updated_at desc, namespace, key`,
  );
  return searches.map((_, index) =>
    found.flatMap(({ position, ...item }) => (position === index ? [openItem(db.cipher, item)] : [])),
  );
}

function namespaces(query: NamespaceQuery, now: Date): Sql {
  const { prefix, suffix, max_depth, limit, offset } = query;
  const wildcard = prefix.indexOf("*");
  const range = sql`${below(wildcard === -1 ? prefix : prefix.slice(0, wildcard))} and ${live(now)}`;
  const conditions = [
    sql`namespace is not null`,
    ...(wildcard === -1 ? [] : matches("prefix", prefix)),
    ...matches("suffix", suffix),
  ];
  const page = sql`limit ${limit} offset ${offset}`;
  const which = sql`where ${join(conditions, " and ")}`;
  if (max_depth === undefined) return sql`${stepping(range)} select namespace from found ${which} ${page}`;
  const cut = sql`namespace[:${max_depth}::int] as namespace`;
  if (conditions.length === 1)
    return sql`${stepping(range, max_depth)} select ${cut} from found ${which} ${page}`;
  return sql`${stepping(range)} select distinct ${cut} from found ${which} order by 1 ${page}`;
}

/**
 * Goes through the index from one namespace to the next, past all items of each, until the page is full; with a depth,
 * past all that have the same first labels.
 */
function stepping(condition: Sql, max_depth?: number): Sql {
  const next = sql`found.namespace || ''::text`; // nothing is between a namespace and this
  const from =
    max_depth === undefined
      ? next
      : sql`case when cardinality(found.namespace) < ${max_depth}::int then ${next}
          else found.namespace[:${max_depth - 1}::int] || (found.namespace[${max_depth}::int] || chr(1)) end`;
  return sql`
    with recursive found as (
      (select namespace from langgraph.store_items where ${condition} order by namespace, key limit 1)
      union all
      select (
        select item.namespace from langgraph.store_items as item
        where item.namespace >= (${from}) collate "C" and ${condition}
        order by item.namespace, item.key limit 1
      ) from found where found.namespace is not null
    )`;
}
