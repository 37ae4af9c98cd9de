/** The Platform API's store. @see https://docs.langchain.com/langsmith/server-api-ref */

import type { z } from "zod";
import type { AuthLevel } from "../core/model.ts";
import { listNamespaces, readItems, searchItems, writeItems, type StoreDeps } from "../core/store.ts";
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
    docs: StoreDocs,
    handle: (request: Request) => Promise<Response>,
  ): Route => ({
    method,
    path,
    authLevel,
    isRateLimited: true,
    isPlatform: true,
    docs: documented(docs),
    handle: async ({ request }) => handle(request),
  });
  return [
    route("PUT", "/store/items", putDocs, async (request) => {
      await writeItems(store, [await body(request, ItemPut)]);
      return noContent();
    }),
    route("GET", "/store/items", getDocs, async (request) => {
      const [item = null] = await readItems(store, [await readQuery(request, ItemQuery)]);
      return json(item);
    }),
    route("DELETE", "/store/items", deleteDocs, async (request) => {
      await writeItems(store, [{ ...(await body(request, ItemDelete)), value: null }]);
      return noContent();
    }),
    route("POST", "/store/items/search", searchDocs, async (request) => {
      const [found = []] = await searchItems(store, [await body(request, ItemSearch)]);
      return json({ items: found.map(({ score, ...item }) => (score === null ? item : { ...item, score })) });
    }),
    route("POST", "/store/namespaces", namespacesDocs, async (request) =>
      json({ namespaces: await listNamespaces(store, await body(request, NamespaceList)) }),
    ),
  ];
}

interface StoreDocs {
  readonly operationId: string;
  readonly summary: string;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  readonly status?: number;
  readonly answer: AnswerDocs;
}

const putDocs = {
  operationId: "put_store_item",
  summary: "Store an item, in place of one of the same name",
  body: ItemPut,
  status: 204,
  answer: { description: "Stored" },
};
const getDocs = {
  operationId: "get_store_item",
  summary: "Get an item; its namespace and key are in the query",
  query: ItemQuery,
  answer: { description: "The item, or null", schema: ItemAnswer },
};
const deleteDocs = {
  operationId: "delete_store_item",
  summary: "Delete an item",
  body: ItemDelete,
  status: 204,
  answer: { description: "There is no such item (any more)" },
};
const searchDocs = {
  operationId: "search_store_items",
  summary: "Search items: the newest first, or with a query those whose meaning is nearest",
  body: ItemSearch,
  answer: { description: "A page of items", schema: FoundItems },
};
const namespacesDocs = {
  operationId: "list_store_namespaces",
  summary: "List the namespaces that have items",
  body: NamespaceList,
  answer: { description: "A page of namespaces, in the order of their labels", schema: Namespaces },
};

function documented({ status = 200, answer, ...docs }: StoreDocs): Route["docs"] {
  return {
    ...docs,
    tag: "store",
    responses: {
      [status]: answer,
      400: "The body is not JSON, or over a limit",
      401: "A function key is missing",
      403: "The function key does not open this",
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
