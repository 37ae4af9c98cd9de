/** The rules of the store, long-term memory that graphs and clients share: what may name an item, and how long it lives. */

import type { Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import type { MetadataCondition } from "./auth.ts";
import { isJsonObject, type JsonObject } from "./model.ts";
import { readFilter, type FilterCondition } from "./store-filter.ts";
import { embedQuery, embedWrites, type ItemVector, type StoreIndex } from "./store-index.ts";

/** What names an item: a path of labels, and a key that is unique below it. */
export interface ItemName {
  readonly namespace: readonly string[];
  readonly key: string;
}

/** An item as clients see it. */
export interface Item extends ItemName {
  readonly value: JsonObject;
  readonly created_at: Date;
  readonly updated_at: Date;
}

export interface FoundItem extends Item {
  /** Cosine similarity to the query, 1 at most; null where nothing was asked for by meaning. */
  readonly score: number | null;
}

export interface ItemRead extends ItemName {
  /** Whether the item's time to live starts anew; as the store's options say, if undefined. */
  readonly refresh_ttl?: boolean | undefined;
}

export interface ItemWrite extends ItemName {
  /** Null deletes the item. */
  readonly value: JsonObject | null;
  /** The paths of what is embedded; false for nothing, undefined or null for those of the store's options. */
  readonly index?: false | readonly string[] | null | undefined;
  /** Minutes. Null for ever; undefined as the store's options say. */
  readonly ttl?: number | null | undefined;
}

export interface ItemSearch {
  readonly namespace_prefix: readonly string[];
  readonly filter?: JsonObject | undefined;
  /** Finds by meaning. */
  readonly query?: string | undefined;
  readonly limit: number;
  readonly offset: number;
  readonly refresh_ttl?: boolean | undefined;
}

export interface NamespaceQuery {
  /** What namespaces begin with; `*` is any label. */
  readonly prefix: readonly string[];
  /** What they end with. */
  readonly suffix: readonly string[];
  /** Cuts namespaces off after so many labels. */
  readonly max_depth?: number | undefined;
  readonly limit: number;
  readonly offset: number;
}

/** A write as it is stored. */
export interface StoredWrite extends ItemName {
  readonly value: JsonObject | null;
  readonly ttl_minutes: number | null;
  readonly expires_at: Date | null;
  readonly vectors: readonly ItemVector[];
}

/** A search as it is carried out. */
export interface StoredSearch extends Pick<ItemSearch, "namespace_prefix" | "limit" | "offset"> {
  readonly conditions: readonly FilterCondition[];
  /** The nearest come first; undefined for the newest first. */
  readonly near: readonly number[] | undefined;
  readonly refreshes: boolean;
}

/**
 * The durable record of items. Everything about the store goes through here, from clients and graphs alike. An item
 * whose time is up is as good as deleted. Each call is few statements, however many items it is about.
 */
export interface ItemStore {
  /** In the order asked; null for those that there are not. */
  readonly read: (
    asked: readonly (ItemName & { readonly refreshes: boolean })[],
    now: Date,
  ) => Promise<readonly (Item | null)[]>;
  /** All or none; no two about the same item. @throws AppError `invalid_request` where vectors cannot be kept */
  readonly write: (writes: readonly StoredWrite[], now: Date) => Promise<void>;
  /** The results of each. @throws AppError `invalid_request` where vectors cannot be searched */
  readonly search: (
    searches: readonly StoredSearch[],
    now: Date,
  ) => Promise<readonly (readonly FoundItem[])[]>;
  /** Those of items, each once, in the order of their labels. */
  readonly namespaces: (query: NamespaceQuery, now: Date) => Promise<readonly (readonly string[])[]>;
  /**
   * The store that all share, as if it had no other items than those whose value, `namespace` and `key` meet all
   * conditions; to write others is refused: AppError `forbidden`, or `not_found` where such an item is in the way.
   */
  readonly meeting: (conditions: readonly MetadataCondition[]) => ItemStore;
  /** Deletes items whose time is up, `limit` at most. @returns how many there were */
  readonly sweep: (now: Date, limit: number) => Promise<number>;
}

export interface StoreTtl {
  /** Minutes that items live if nothing else is said of them; undefined for ever. */
  readonly default_ttl?: number | undefined;
  readonly refresh_on_read: boolean;
}

export interface StoreDeps {
  readonly items: ItemStore;
  readonly clock: Clock;
  readonly ttl: StoreTtl;
  /** Undefined where nothing is found by meaning. */
  readonly index: StoreIndex | undefined;
}

/** In the order asked; null for those that there are not. @throws AppError `invalid_request` */
export async function readItems(
  { items, clock, ttl }: StoreDeps,
  asked: readonly ItemRead[],
): Promise<readonly (Item | null)[]> {
  for (const name of asked) checkName(name);
  const reads = asked.map(({ refresh_ttl = ttl.refresh_on_read, ...name }) => ({
    ...name,
    refreshes: refresh_ttl,
  }));
  return items.read(reads, clock.now());
}

/**
 * Writes and deletes, all or nothing; of those about the same item, the last one counts.
 * @throws AppError `invalid_request`; `embedding_failed`
 */
export async function writeItems(deps: StoreDeps, asked: readonly ItemWrite[]): Promise<void> {
  const { items, clock, index } = deps;
  for (const write of asked) checkWrite(write, index);
  const writes = [...new Map(asked.map((write) => [nameOf(write), write])).values()];
  const vectors = await embedWrites(index, writes);
  const now = clock.now();
  await items.write(
    writes.map((write, position) => stored(deps, write, vectors[position] ?? [], now)),
    now,
  );
}

function stored(
  { ttl }: StoreDeps,
  { namespace, key, value, ttl: minutes = ttl.default_ttl ?? null }: ItemWrite,
  vectors: readonly ItemVector[],
  now: Date,
): StoredWrite {
  const expires_at = minutes === null ? null : new Date(now.getTime() + minutes * MINUTE_MS);
  return { namespace, key, value, ttl_minutes: minutes, expires_at, vectors };
}

/** The results of each search. @throws AppError `invalid_request`; `embedding_failed` */
export async function searchItems(
  { items, clock, ttl, index }: StoreDeps,
  asked: readonly ItemSearch[],
): Promise<readonly (readonly FoundItem[])[]> {
  const searches = asked.map(async (search): Promise<StoredSearch> => {
    const { namespace_prefix, filter = {}, query = "", limit, offset } = search;
    checkLabels("namespace_prefix", namespace_prefix);
    const conditions = readFilter(filter);
    const near = query === "" ? undefined : await embedQuery(index, query);
    const refreshes = search.refresh_ttl ?? ttl.refresh_on_read;
    return { namespace_prefix, limit, offset, conditions, near, refreshes };
  });
  return items.search(await Promise.all(searches), clock.now());
}

/** @throws AppError `invalid_request` */
export async function listNamespaces(
  { items, clock }: StoreDeps,
  query: NamespaceQuery,
): Promise<readonly (readonly string[])[]> {
  checkLabels("prefix", query.prefix);
  checkLabels("suffix", query.suffix);
  return items.namespaces(query, clock.now());
}

/** Deletes what has expired; what is too much for one go waits for the next. @returns how many items there were */
export async function sweepStore({ items, clock }: Pick<StoreDeps, "items" | "clock">): Promise<number> {
  const now = clock.now();
  let swept = 0;
  for (let round = 0; round < SWEEP_ROUNDS; round += 1) {
    const count = await items.sweep(now, SWEEP_SIZE);
    swept += count;
    if (count < SWEEP_SIZE) break;
  }
  return swept;
}

const MINUTE_MS = 60_000;
const SWEEP_SIZE = 1_000;
const SWEEP_ROUNDS = 20;
/** Of a namespace and of a key each, so that both fit into an index entry of Postgres. */
const MAX_BYTES = 1_024;

/** Names are equal when these texts are. */
export function nameOf({ namespace, key }: ItemName): string {
  return JSON.stringify([namespace, key]);
}

function checkWrite(write: ItemWrite, index: StoreIndex | undefined): void {
  checkName(write);
  if (write.namespace[0] === "langgraph") throw invalid('namespace: the root label "langgraph" is reserved');
  if (write.value !== null && !isJsonObject(write.value)) throw invalid("value: must be an object");
  if (Array.isArray(write.index) && index === undefined) {
    throw invalid(
      "index: this store has no embedding function, so nothing is found by meaning; see the option store.index",
    );
  }
}

function checkName({ namespace, key }: ItemName): void {
  if (!Array.isArray(namespace) || namespace.length === 0)
    throw invalid("namespace: needs at least one label");
  checkLabels("namespace", namespace);
  checkText("key", key);
}

function checkLabels(field: string, labels: readonly string[]): void {
  for (const label of labels) {
    if (typeof label !== "string" || label === "" || label.includes("."))
      throw invalid(`${field}: labels cannot be empty or contain periods; this is ${JSON.stringify(labels)}`);
  }
  checkText(field, labels.join("."));
}

function checkText(field: string, text: string): void {
  if (text.includes("\u0000") || !text.isWellFormed())
    throw invalid(`${field}: has a NUL character or half of a surrogate pair`);
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_BYTES) throw invalid(`${field}: ${bytes} bytes (max ${MAX_BYTES} bytes)`);
}

function invalid(message: string): AppError {
  return new AppError("invalid_request", message);
}
