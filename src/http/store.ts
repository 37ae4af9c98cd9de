/** The Platform API's store. @see https://docs.langchain.com/langsmith/server-api-ref */

import type { z } from "zod";
import type { AuthLevel } from "../core/model.ts";
import type { StoreDeps } from "../core/store.ts";
import { deleteItem, findItems, findNamespaces, getItem, putItem } from "../core/store-access.ts";
import { parse, readObject, type BodyLimits } from "./body.ts";
import { platformRoute } from "./platform-route.ts";
import { readQuery } from "./query.ts";
import { json, noContent } from "./respond.ts";
import type { Call, Route } from "./router.ts";
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

const ERRORS = {
  400: "The body is not JSON, or over a limit",
  401: "A function key is missing",
  403: "The function key does not open this, or the caller may not do it",
  422: "A field is not what was expected, or nothing can be found by meaning here",
  429: "Too many requests; see Retry-After",
  502: "The embedding function failed",
  503: "The database cannot be reached",
} as const;
const OUT_OF_REACH = { 404: "The caller does not reach the item that has this name" } as const;

export function storeRoutes(deps: StoreRouteDeps): readonly Route[] {
  const { store } = deps;
  const route = platformRoute(deps.authLevel, "store", ERRORS);
  return [
    route("PUT /store/items", "Store an item, in place of one of the same name", {
      operationId: "put_store_item",
      permission: "store:put",
      body: ItemPut,
      responses: { 204: { description: "Stored" }, ...OUT_OF_REACH },
      handle: async (call) => {
        await putItem(store, call.caller, await read(deps, call, ItemPut));
        return noContent();
      },
    }),
    route("GET /store/items", "Get an item; its namespace and key are in the query", {
      operationId: "get_store_item",
      permission: "store:get",
      query: ItemQuery,
      responses: { 200: { description: "The item, or null", schema: ItemAnswer } },
      handle: async ({ request, caller }) =>
        json(await getItem(store, caller, await readQuery(request, ItemQuery))),
    }),
    route("DELETE /store/items", "Delete an item", {
      operationId: "delete_store_item",
      permission: "store:delete",
      body: ItemDelete,
      responses: { 204: { description: "There is no such item (any more)" }, ...OUT_OF_REACH },
      handle: async (call) => {
        await deleteItem(store, call.caller, await read(deps, call, ItemDelete));
        return noContent();
      },
    }),
    route(
      "POST /store/items/search",
      "Search items: the newest first, or with a query those whose meaning is nearest",
      {
        operationId: "search_store_items",
        permission: "store:search",
        body: ItemSearch,
        responses: { 200: { description: "A page of items", schema: FoundItems } },
        handle: search(deps),
      },
    ),
    route("POST /store/namespaces", "List the namespaces that have items", {
      operationId: "list_store_namespaces",
      permission: "store:list_namespaces",
      body: NamespaceList,
      responses: {
        200: { description: "A page of namespaces, in the order of their labels", schema: Namespaces },
      },
      handle: async (call) => {
        const body = await read(deps, call, NamespaceList);
        return json({ namespaces: await findNamespaces(store, call.caller, body) });
      },
    }),
  ];
}

function search(deps: StoreRouteDeps): Route["handle"] {
  return async (call) => {
    const found = await findItems(deps.store, call.caller, await read(deps, call, ItemSearch));
    return json({ items: found.map(({ score, ...item }) => (score === null ? item : { ...item, score })) });
  };
}

async function read<Schema extends z.ZodType>(
  { limits }: StoreRouteDeps,
  { request }: Call,
  schema: Schema,
): Promise<z.output<Schema>> {
  return parse(schema, await readObject(request, limits));
}
