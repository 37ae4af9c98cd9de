/** Who reaches what of the store: every owner has one of its own, unless a policy decides about one that all share. */

import { createHash } from "node:crypto";
import type { Caller, Scope } from "./auth.ts";
import {
  listNamespaces,
  readItems,
  searchItems,
  writeItems,
  type FoundItem,
  type Item,
  type ItemName,
  type ItemRead,
  type ItemSearch,
  type ItemStore,
  type ItemWrite,
  type NamespaceQuery,
  type StoreDeps,
} from "./store.ts";

/** The store of an owner; undefined for the one that all share. */
export function storeOf(store: StoreDeps, owner: string | undefined): StoreDeps {
  return owner === undefined ? store : { ...store, items: ownedBy(store.items, owner) };
}

/** @throws AppError `invalid_request`; `forbidden` */
export async function getItem(
  store: StoreDeps,
  caller: Caller,
  { refresh_ttl, ...name }: ItemRead,
): Promise<Item | null> {
  const { value, scope } = await caller.authorize("store:get", { ...name });
  const { namespace, key } = value;
  const [item = null] = await readItems(reachable(store, caller, scope), [{ namespace, key, refresh_ttl }]);
  return item;
}

/** @throws AppError `invalid_request`; `forbidden`, `not_found` for what is not to be stored there; `embedding_failed` */
export async function putItem(
  store: StoreDeps,
  caller: Caller,
  { index, ttl, ...item }: ItemWrite,
): Promise<void> {
  const { value: allowed, scope } = await caller.authorize("store:put", { ...item });
  const { namespace, key, value } = allowed;
  await writeItems(reachable(store, caller, scope), [{ namespace, key, value, index, ttl }]);
}

/** It is all the same whether there is one. @throws AppError `invalid_request`; `forbidden`, `not_found` for one out of reach */
export async function deleteItem(store: StoreDeps, caller: Caller, name: ItemName): Promise<void> {
  const { value, scope } = await caller.authorize("store:delete", { ...name });
  const { namespace, key } = value;
  await writeItems(reachable(store, caller, scope), [{ namespace, key, value: null }]);
}

/** @throws AppError `invalid_request`; `forbidden`; `embedding_failed` */
export async function findItems(
  store: StoreDeps,
  caller: Caller,
  { namespace_prefix, refresh_ttl, ...search }: ItemSearch,
): Promise<readonly FoundItem[]> {
  const { value, scope } = await caller.authorize("store:search", { namespace: namespace_prefix, ...search });
  const { namespace, filter, query, limit, offset } = value;
  const asked = { namespace_prefix: namespace, filter, query, limit, offset, refresh_ttl };
  const [found = []] = await searchItems(reachable(store, caller, scope), [asked]);
  return found;
}

/** @throws AppError `invalid_request`; `forbidden` */
export async function findNamespaces(
  store: StoreDeps,
  caller: Caller,
  { prefix, ...query }: NamespaceQuery,
): Promise<readonly (readonly string[])[]> {
  const asked = { namespace: prefix, ...query };
  const { value, scope } = await caller.authorize("store:list_namespaces", asked);
  const { namespace, suffix, max_depth, limit, offset } = value;
  const reached = reachable(store, caller, scope);
  return listNamespaces(reached, { prefix: namespace, suffix, max_depth, limit, offset });
}

function reachable(store: StoreDeps, { owner }: Caller, { owner: of, metadata = [] }: Scope): StoreDeps {
  if (of !== undefined) return storeOf(store, of);
  return owner === null ? store : { ...store, items: store.items.meeting(metadata) };
}

/** A store within the store, below a label that it never shows. */
export function ownedBy(items: ItemStore, owner: string): ItemStore {
  const root = rootOf(owner);
  const inside = <Named extends ItemName>(named: Named) => ({
    ...named,
    namespace: [root, ...named.namespace],
  });
  const outside = <Named extends ItemName>(named: Named) => ({
    ...named,
    namespace: named.namespace.slice(1),
  });
  return {
    read: async (asked, now) => {
      const found = await items.read(asked.map(inside), now);
      return found.map((item) => (item === null ? null : outside(item)));
    },
    write: async (writes, now) => items.write(writes.map(inside), now),
    search: async (searches, now) => {
      const asked = searches.map(({ namespace_prefix, ...search }) => ({
        ...search,
        namespace_prefix: [root, ...namespace_prefix],
      }));
      const found = await items.search(asked, now);
      return found.map((some) => some.map(outside));
    },
    namespaces: async ({ prefix, suffix, max_depth, ...page }, now) => {
      // A suffix must not reach up to the label, as `*` would.
      const room = Array.from({ length: Math.max(0, suffix.length - prefix.length) }, () => "*");
      const depth = max_depth === undefined ? undefined : max_depth + 1;
      const query = { ...page, prefix: [root, ...prefix, ...room], suffix, max_depth: depth };
      return (await items.namespaces(query, now)).map((namespace) => namespace.slice(1));
    },
    meeting: (conditions) => ownedBy(items.meeting(conditions), owner),
    sweep: items.sweep,
  };
}

/** Before the digest of whom a store belongs to. A client's labels have no periods, so that none is such a root. */
export const OWNED = ".";

function rootOf(owner: string): string {
  return OWNED + createHash("sha256").update(owner).digest("base64url");
}
