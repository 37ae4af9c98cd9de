/** The vectors of the store, by pgvector: their table is made when the first is written or searched for. */

import sql, { empty, join, raw, type Sql } from "sql-template-tag";
import type { FoundItem, StoredSearch, StoredWrite } from "../core/store.ts";
import { AppError } from "../errors.ts";
import { once } from "../once.ts";
import type { Database } from "./pool.ts";
import { rows } from "./sql.ts";
import { below, holds, live, reached, refreshed, type Reach } from "./store-conditions.ts";
import { transaction } from "./transaction.ts";

/** Where vectors of so many dimensions are kept: those of another embedding function do not get in each other's way. */
export interface VectorTable {
  readonly name: Sql;
  readonly type: Sql;
  /** Whether the nearest are found through an index. */
  readonly isIndexed: boolean;
}

/** Any number that no other program uses for an advisory lock on this database. */
const LOCK = 7_153_000_002;
/** The dimensions up to which pgvector can index a type. @see https://github.com/pgvector/pgvector#hnsw */
const INDEXED = { vector: 2_000, halfvec: 4_000 } as const;

/** Looks for the table once, and makes it if need be. The function rejects with an AppError `invalid_request` that says what is missing. */
export function vectorTable(database: Database, dims: number | undefined): () => Promise<VectorTable> {
  return once(async () => {
    if (dims === undefined) throw missing("this store keeps no vectors; see the option store.index");
    return findOrMake(database, dims);
  });
}

async function findOrMake(database: Database, dims: number): Promise<VectorTable> {
  const name = `langgraph.store_vectors_${dims}`;
  const [state] = await rows<{ installed: string | null; available: string | null; is_there: boolean }>(
    database,
    sql`
    select (select extversion from pg_extension where extname = 'vector') as installed,
      (select default_version from pg_available_extensions where name = 'vector') as available,
      to_regclass(${name}) is not null as is_there`,
  );
  const version = state?.installed ?? state?.available ?? null;
  if (version === null) throw missing("the database has no pgvector (its extension `vector`)");
  const table = describe(name, dims, version);
  if (table.isHalf && !isAtLeast(version, 7))
    throw missing(`vectors of ${dims} dimensions need pgvector 0.7 or newer; the database has ${version}`);
  if (state?.is_there !== true) await make(database, table, { dims, installed: state?.installed ?? null });
  return table;
}

/** Only from 0.8 on does an index go on searching until enough of what it finds also fits the namespace. */
function describe(name: string, dims: number, version: string): VectorTable & { readonly isHalf: boolean } {
  const isHalf = dims > INDEXED.vector && dims <= INDEXED.halfvec;
  const isIndexed = dims <= INDEXED.halfvec && isAtLeast(version, 8);
  return { name: raw(name), type: raw(isHalf ? "halfvec" : "vector"), isHalf, isIndexed };
}

/** Of pgvector: the number after `0.`. */
function isAtLeast(version: string, minor: number): boolean {
  const [major = 0, actual = 0] = version.split(".").map(Number);
  return major > 0 || actual >= minor;
}

/** Of many instances that do this at the same time, one makes it. */
async function make(
  database: Database,
  { name, type, isIndexed }: VectorTable,
  { dims, installed }: { readonly dims: number; readonly installed: string | null },
): Promise<void> {
  await transaction(database, async (tx) => {
    await rows(tx, sql`select pg_advisory_xact_lock(${LOCK})`);
    if (installed === null) await rows(tx, sql`create extension if not exists vector`).catch(refused);
    await rows(
      tx,
      sql`
      create table if not exists ${name} (
        namespace text[] collate "C" not null,
        key text collate "C" not null,
        path text collate "C" not null,
        embedding ${type}(${raw(String(dims))}) not null,
        written_at timestamptz not null,
        primary key (namespace, key, path),
        foreign key (namespace, key) references langgraph.store_items on delete cascade
      )`,
    ).catch(refusedTable);
    const index = raw(`store_vectors_${dims}_by_nearness`);
    if (isIndexed)
      await rows(
        tx,
        sql`create index if not exists ${index} on ${name} using hnsw (embedding ${type}_cosine_ops)`,
      );
  });
}

function refusedTable(error: unknown): never {
  if (!isForbidden(error)) throw error;
  throw missing(
    "its table is missing, and the database's user may not make it: docs/database.md says how",
    error,
  );
}

function isForbidden(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === INSUFFICIENT_PRIVILEGE;
}

function refused(error: unknown): never {
  if (!isForbidden(error)) throw error;
  throw missing(
    "pgvector is not installed in the database, and its user may not do that: have an administrator run `create extension vector`",
    error,
  );
}

const INSUFFICIENT_PRIVILEGE = "42501";

function missing(what: string, cause?: unknown): AppError {
  return new AppError("invalid_request", `Nothing can be found by meaning: ${what}`, { cause });
}

/** The end of a statement that has `written` items: vectors that their values have no more go. */
export function writeVectors({ name, type }: VectorTable, writes: readonly StoredWrite[], now: Date): Sql {
  const vectors = writes.flatMap(({ namespace, key, vectors }) =>
    vectors.map(({ path, vector }) => ({ namespace, key, path, embedding: JSON.stringify(vector) })),
  );
  return sql`
    , embedded as materialized (
      select namespace collate "C" as namespace, key collate "C" as key, path collate "C" as path, embedding
      from jsonb_to_recordset(${JSON.stringify(vectors)}::jsonb)
        as embedded (namespace text[], key text, path text, embedding text)
      order by 1, 2, 3
    ), obsolete as (
      delete from ${name} as vector using written
      where vector.namespace = written.namespace and vector.key = written.key and not exists (
        select from embedded
        where embedded.namespace = vector.namespace and embedded.key = vector.key and embedded.path = vector.path)
    )
    insert into ${name} (namespace, key, path, embedding, written_at)
    select namespace, key, path, embedding::${type}, ${now}::timestamptz from embedded
    on conflict (namespace, key, path) do update set embedding = excluded.embedding, written_at = excluded.written_at`;
}

type NearestSearch = Omit<StoredSearch, "near"> & {
  readonly near: readonly number[];
  readonly reach: Reach;
};

/** The nearest items, each by the nearest of its vectors. */
export async function searchNearest(
  database: Database,
  table: VectorTable,
  search: NearestSearch,
  now: Date,
): Promise<readonly FoundItem[]> {
  const exact = nearest(search, now, vectorsOf(table, search));
  if (!table.isIndexed) return rows<FoundItem>(database, exact);
  const candidates = (search.offset + search.limit) * VECTORS_PER_ITEM;
  const few = sql`${vectorsOf(table, search)} order by distance limit ${candidates}`;
  return transaction(database, async (tx) => {
    await rows(tx, sql`set local hnsw.iterative_scan = strict_order`);
    const found = await rows<FoundItem>(tx, nearest(search, now, few));
    if (found.length === search.limit) return found;
    // Too few of the nearest fit the filter, or the index gave up: then all that fit are compared.
    return rows<FoundItem>(tx, exact);
  });
}

/** Candidates for each item that is to be found: some are of the same item, expired, or do not fit the filter. */
const VECTORS_PER_ITEM = 4;

function vectorsOf({ name, type }: VectorTable, { namespace_prefix, near }: NearestSearch): Sql {
  return sql`
    select namespace, key, written_at, embedding <=> ${JSON.stringify(near)}::${type} as distance
    from ${name} where ${below(namespace_prefix)}`;
}

/** A vector counts only for the value that it was made of. */
function nearest(
  { namespace_prefix, conditions, limit, offset, refreshes, reach }: NearestSearch,
  now: Date,
  vectors: Sql,
): Sql {
  // Not "=", for which the index of all items by their time would be used.
  const isCurrent = sql`written_at is not distinct from updated_at`;
  const all = [isCurrent, live(now), below(namespace_prefix), ...conditions.map(holds)];
  const which = join(reach === undefined ? all : [...all, reached(reach)], " and ");
  return sql`
    with items as (
      select distinct on (namespace, key) namespace, key, value, created_at, updated_at, distance
      from (${vectors}) as vectors join langgraph.store_items using (namespace, key)
      where ${which} order by namespace, key, distance
    ), found as (
      select namespace, key, value, created_at, updated_at, 1 - distance as score from items
      order by distance, namespace, key limit ${limit} offset ${offset}
    )${refreshes ? sql`, ${refreshed(now, sql`true`)}` : empty}
    select namespace, key, value, created_at, updated_at, score from found order by score desc, namespace, key`;
}
