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
} from "../core/store.ts";
import { OWNED } from "../core/store-access.ts";
import { AppError } from "../errors.ts";
import type { Cipher, SealingDb } from "./encryption.ts";
import type { Database } from "./pool.ts";
import { removeBatch } from "./remove-batch.ts";
import { openItem } from "./sealed.ts";
import { rows } from "./sql.ts";
import { below, holds, live, matches, reached, refreshed, type Reach } from "./store-conditions.ts";
import { searchNearest, vectorTable, type VectorTable } from "./store-vectors.ts";
import { names, write } from "./store-writes.ts";

const columns = sql`namespace, key, value, created_at, updated_at`;

/** `dims` are those of the vectors, where items are found by meaning. */
export function itemStore(database: Database, dims?: number): ItemStore {
  return reachingStore(database, vectorTable(database, dims), undefined);
}

function reachingStore(database: Database, vectors: () => Promise<VectorTable>, reach: Reach): ItemStore {
  return {
    read: async (asked, now) => {
      if (asked.length === 0) return [];
      const found = await rows<Item>(database, read(asked, reach, now));
      const byName = new Map(found.map((item) => [nameOf(item), openItem(database.cipher, item)]));
      return asked.map((name) => byName.get(nameOf(name)) ?? null);
    },
    write: async (writes, now) => {
      if (writes.length === 0) return;
      const hasVectors = writes.some((each) => each.vectors.length > 0);
      await write(database, writes, { table: hasVectors ? await vectors() : undefined, reach }, now);
    },
    search: async (searches, now) => {
      refuseFilters(database.cipher, searches);
      const plain = searches.filter(({ near }) => near === undefined);
      const found = await searchPlain(database, plain, reach, now);
      return Promise.all(
        searches.map(async ({ near, ...search }) => {
          if (near === undefined) return found.shift() ?? [];
          const nearest = await searchNearest(database, await vectors(), { ...search, near, reach }, now);
          return nearest.map((item) => openItem(database.cipher, item));
        }),
      );
    },
    namespaces: async (query, now) => {
      const found = await rows<Pick<Item, "namespace">>(database, namespaces(query, reach, now));
      return found.map(({ namespace }) => namespace);
    },
    meeting: (conditions) => {
      refuseRules(database.cipher, conditions);
      return reachingStore(database, vectors, [...(reach ?? []), ...conditions]);
    },
    sweep: async (now, limit) =>
      removeBatch(database, sql`langgraph.store_items`, {
        where: sql`expires_at <= ${now}`,
        order: sql`expires_at`,
        limit,
      }),
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

/** Rules of access that the database can apply are about what it can read. */
function refuseRules({ newest }: Cipher, rules: NonNullable<Reach>): void {
  const field = rules.map((rule) => rule.field).find((name) => name !== "namespace" && name !== "key");
  if (newest !== undefined && field !== undefined)
    throw new AppError(
      "invalid_request",
      `${field}: the server's rules of access look into items' values, which it keeps encrypted; they can only ask for namespace and key`,
    );
}

function read(asked: readonly (ItemName & { readonly refreshes: boolean })[], reach: Reach, now: Date): Sql {
  const refreshing = asked.filter(({ refreshes }) => refreshes);
  const statement = sql`
    with asked as (
      select distinct namespace collate "C" as namespace, key collate "C" as key
      from jsonb_to_recordset(${names(asked)}::jsonb) as asked (namespace text[], key text)
    ), found as (
      select ${columns} from asked join langgraph.store_items using (namespace, key)
      where ${and([live(now)], reach)}
    )`;
  const isRefreshed = sql`exists (
    select from jsonb_to_recordset(${names(refreshing)}::jsonb) as asked (namespace text[], key text)
    where asked.namespace collate "C" = found.namespace and asked.key collate "C" = found.key)`;
  const refreshes = refreshing.length === 0 ? empty : sql`, ${refreshed(now, isRefreshed)}`;
  return sql`${statement}${refreshes} select ${columns} from found`;
}

function and(conditions: readonly Sql[], reach: Reach): Sql {
  return join([...conditions, ...(reach === undefined ? [] : [reached(reach)])], " and ");
}

/** One statement for all searches. */
async function searchPlain(
  db: SealingDb,
  searches: readonly StoredSearch[],
  reach: Reach,
  now: Date,
): Promise<FoundItem[][]> {
  if (searches.length === 0) return [];
  const parts = searches.map(
    ({ namespace_prefix, conditions, limit, offset, refreshes }, position) => sql`(
      select ${position}::int as position, ${refreshes}::boolean as refreshes, ${columns}
      from langgraph.store_items
      where ${and([live(now), below(namespace_prefix), ...conditions.map(holds)], reach)}
      order by ${age(namespace_prefix)} desc, namespace, key limit ${limit} offset ${offset})`,
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

/** An owner's items are looked through: by the index of all items by their time, those of everybody else would be, too. */
function age([root = ""]: readonly string[]): Sql {
  return root.startsWith(OWNED) ? sql`updated_at + interval '0'` : sql`updated_at`;
}

function namespaces(query: NamespaceQuery, reach: Reach, now: Date): Sql {
  const { prefix, suffix, max_depth, limit, offset } = query;
  const wildcard = prefix.indexOf("*");
  const range = and([below(wildcard === -1 ? prefix : prefix.slice(0, wildcard)), live(now)], reach);
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
