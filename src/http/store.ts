/** The Platform API's store. @see https://docs.langchain.com/langsmith/server-api-ref */

import type { z } from "zod";
import type { AuthEvent, Caller } from "../core/auth.ts";
import type { AuthLevel } from "../core/model.ts";
import type { StoreDeps } from "../core/store.ts";
import { deleteItem, findItems, findNamespaces, getItem, putItem } from "../core/store-access.ts";
import { parse, readObject, type BodyLimits } from "./body.ts";
import { readQuery } from "./query.ts";
import { json } from "./respond.ts";
import type { AnswerDocs, Route } from "./router.ts";
import {
  FoundItems,
  ItemAnswer,
  ItemDelete,
  ItemPut,
  ItemQuery,
  ItemSearch,
  NamespaceList,
  Namespaces,
} from "./store-schemas.ts";

export interface StoreRouteDeps {
  readonly store: StoreDeps;
  readonly limits: BodyLimits;
  readonly authLevel: AuthLevel;
}

export function storeRoutes({ store, limits, authLevel }: StoreRouteDeps): readonly Route[] {
  const body = async <Schema extends z.ZodType>(request: Request, schema: Schema) =>
    parse(schema, await readObject(request, limits));
  const route = (
    method: Route["method"],
    path: string,
    { permission, ...docs }: StoreDocs,
    handle: (request: Request, caller: Caller) => Promise<Response>,
  ): Route => ({
    method,
    path,
    authLevel,
    permission,
    isRateLimited: true,
    isPlatform: true,
    docs: documented(docs),
    handle: async ({ request, caller }) => handle(request, caller),
  });
  return [
    route("PUT", "/store/items", putDocs, async (request, caller) => {
      await putItem(store, caller, await body(request, ItemPut));
      return noContent();
    }),
    route("GET", "/store/items", getDocs, async (request, caller) =>
      json(await getItem(store, caller, await readQuery(request, ItemQuery))),
    ),
    route("DELETE", "/store/items", deleteDocs, async (request, caller) => {
      await deleteItem(store, caller, await body(request, ItemDelete));
      return noContent();
    }),
    route("POST", "/store/items/search", searchDocs, async (request, caller) => {
      const found = await findItems(store, caller, await body(request, ItemSearch));
      return json({ items: found.map(({ score, ...item }) => (score === null ? item : { ...item, score })) });
    }),
    route("POST", "/store/namespaces", namespacesDocs, async (request, caller) =>
      json({ namespaces: await findNamespaces(store, caller, await body(request, NamespaceList)) }),
    ),
  ];
}

interface StoreDocs {
  readonly permission: AuthEvent;
  readonly operationId: string;
  readonly summary: string;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  readonly status?: number;
  readonly answer: AnswerDocs;
}

const putDocs: StoreDocs = {
  permission: "store:put",
  operationId: "put_store_item",
  summary: "Store an item, in place of one of the same name",
  body: ItemPut,
  status: 204,
  answer: { description: "Stored" },
};
const getDocs: StoreDocs = {
  permission: "store:get",
  operationId: "get_store_item",
  summary: "Get an item; its namespace and key are in the query",
  query: ItemQuery,
  answer: { description: "The item, or null", schema: ItemAnswer },
};
const deleteDocs: StoreDocs = {
  permission: "store:delete",
  operationId: "delete_store_item",
  summary: "Delete an item",
  body: ItemDelete,
  status: 204,
  answer: { description: "There is no such item (any more)" },
};
const searchDocs: StoreDocs = {
  permission: "store:search",
  operationId: "search_store_items",
  summary: "Search items: the newest first, or with a query those whose meaning is nearest",
  body: ItemSearch,
  answer: { description: "A page of items", schema: FoundItems },
};
const namespacesDocs: StoreDocs = {
  permission: "store:list_namespaces",
  operationId: "list_store_namespaces",
  summary: "List the namespaces that have items",
  body: NamespaceList,
  answer: { description: "A page of namespaces, in the order of their labels", schema: Namespaces },
};

function documented({ status = 200, answer, ...docs }: Omit<StoreDocs, "permission">): Route["docs"] {
  return {
    ...docs,
    tag: "store",
    responses: {
      [status]: answer,
      400: "The body is not JSON, or over a limit",
      401: "A function key is missing",
      403: "The function key does not open this, or the caller may not do it",
      ...(status === 204 ? { 404: "The caller does not reach the item that has this name" } : {}),
      422: "A field is not what was expected, or nothing can be found by meaning here",
      429: "Too many requests; see Retry-After",
      502: "The embedding function failed",
      503: "The database cannot be reached",
    },
  };
}

function noContent(): Response {
  return new Response(null, { status: 204, headers: { "cache-control": "no-store" } });
}
