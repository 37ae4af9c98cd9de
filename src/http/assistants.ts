/** The Platform API's assistants. */

import { z } from "zod";
import type { Assistant } from "../core/assistant-store.ts";
import {
  countAssistants,
  createAssistant,
  deleteAssistant,
  listVersions,
  searchAssistants,
  setLatestVersion,
  updateAssistant,
} from "../core/assistants.ts";
import type { Invocation } from "../core/model.ts";
import { AppError } from "../errors.ts";
import { assistantGraphRoutes } from "./assistant-graphs.ts";
import { assistantRoute, find, targetOf, type AssistantRouteDeps } from "./assistant-route.ts";
import {
  AssistantAnswer,
  AssistantCount,
  AssistantCreate,
  AssistantSearch,
  AssistantUpdate,
  DeleteQuery,
  LatestQuery,
  LatestVersion,
  VersionAnswer,
  VersionsPage,
} from "./assistant-schemas.ts";
import { opens, requireLevel } from "./authenticate.ts";
import { parse, readObject } from "./body.ts";
import { readQuery } from "./query.ts";
import { json, pageOf } from "./respond.ts";
import type { AnswerDocs, Route } from "./router.ts";

const ONE = "/assistants/{assistant_id}";

export function assistantRoutes(deps: AssistantRouteDeps): readonly Route[] {
  const route = assistantRoute(deps);
  return [
    route("POST /assistants", "Create an assistant", {
      permission: "assistants:create",
      body: AssistantCreate,
      responses: { 200: anAssistant },
      handle: create(deps),
    }),
    route("POST /assistants/search", "Search assistants", {
      permission: "assistants:search",
      body: AssistantSearch,
      responses: { 200: aPage },
      handle: search(deps),
    }),
    route("POST /assistants/count", "Count assistants", {
      permission: "assistants:search",
      body: AssistantCount,
      responses: { 200: { description: "How many match", schema: z.int() } },
      handle: count(deps),
    }),
    route(`GET ${ONE}`, "Get an assistant", {
      permission: "assistants:read",
      responses: { 200: anAssistant },
      handle: async (call) => {
        await readQuery(call.request, z.strictObject({}));
        return json((await find(deps, call)).assistant);
      },
    }),
    route(`PATCH ${ONE}`, "Make a new version of an assistant", {
      permission: "assistants:update",
      body: AssistantUpdate,
      responses: { 200: anAssistant },
      handle: update(deps),
    }),
    route(`DELETE ${ONE}`, "Delete an assistant and its versions", {
      permission: "assistants:delete",
      query: DeleteQuery,
      responses: { 200: { description: "The id of the assistant", schema: z.array(z.uuid()).length(1) } },
      handle: remove(deps),
    }),
    route(`POST ${ONE}/versions`, "List the versions of an assistant, the newest first", {
      permission: "assistants:read",
      body: VersionsPage,
      responses: { 200: { description: "A page of versions", schema: z.array(VersionAnswer) } },
      handle: versions(deps),
    }),
    route(`POST ${ONE}/latest`, "Put a version of an assistant in force", {
      permission: "assistants:update",
      query: LatestQuery,
      body: LatestVersion,
      isBodyOptional: true,
      responses: { 200: anAssistant },
      handle: setLatest(deps),
    }),
    ...assistantGraphRoutes(deps, route),
  ];
}

const aPage: AnswerDocs = {
  description: "A page of assistants, with the fields asked for; X-Pagination-Total and -Next tell the rest.",
  headers: ["X-Pagination-Total", "X-Pagination-Next"],
  schema: z.array(AssistantAnswer.partial()),
};
const anAssistant: AnswerDocs = { description: "The assistant", schema: AssistantAnswer };

function create(deps: AssistantRouteDeps): Route["handle"] {
  return async ({ request, invocation, caller }) => {
    const body = await parse(AssistantCreate, await readObject(request, deps.limits));
    requireLevel(deps.graphs.get(body.graph_id).authLevel, invocation.authLevel);
    return json(await createAssistant(deps, caller, body));
  };
}

function search(deps: AssistantRouteDeps): Route["handle"] {
  return async ({ request, invocation, caller }) => {
    const body = await parse(AssistantSearch, await readObject(request, deps.limits));
    const { metadata, graph_id, name, select, ...page } = body;
    const filter = { metadata, graph_id, name, notOf: closed(deps, invocation) };
    const found = await searchAssistants(deps, caller, filter, page);
    return pageOf(found, (assistant) => pick(assistant, select));
  };
}

function count(deps: AssistantRouteDeps): Route["handle"] {
  return async ({ request, invocation, caller }) => {
    const filter = await parse(AssistantCount, await readObject(request, deps.limits));
    return json(await countAssistants(deps, caller, { ...filter, notOf: closed(deps, invocation) }));
  };
}

function versions(deps: AssistantRouteDeps): Route["handle"] {
  return async (call) => {
    const page = await parse(VersionsPage, await readObject(call.request, deps.limits));
    return json(await listVersions(deps, call.caller, targetOf(deps, call), page));
  };
}

/** The graphs that the caller's key does not open. */
function closed({ graphs }: AssistantRouteDeps, { authLevel }: Invocation): readonly string[] {
  return graphs.list().flatMap((graph) => (opens(authLevel, graph.authLevel) ? [] : [graph.name]));
}

function pick(assistant: Assistant, fields: readonly (keyof Assistant)[]): Partial<Assistant> {
  return Object.fromEntries(fields.map((field) => [field, assistant[field]]));
}

function update(deps: AssistantRouteDeps): Route["handle"] {
  return async (call) => {
    const patch = await parse(AssistantUpdate, await readObject(call.request, deps.limits));
    const { id, check } = targetOf(deps, call);
    const checkBoth = (assistant: Assistant): void => {
      check(assistant);
      if (patch.graph_id !== undefined)
        requireLevel(deps.graphs.get(patch.graph_id).authLevel, call.invocation.authLevel);
    };
    return json(await updateAssistant(deps, call.caller, { id, check: checkBoth }, patch));
  };
}

function remove(deps: AssistantRouteDeps): Route["handle"] {
  return async (call) => {
    const { delete_threads } = await readQuery(call.request, DeleteQuery);
    return json([await deleteAssistant(deps, call.caller, targetOf(deps, call), delete_threads)]);
  };
}

/** The SDK tells the version in the body, the official documentation in the query. */
function setLatest(deps: AssistantRouteDeps): Route["handle"] {
  return async (call) => {
    const query = await readQuery(call.request, LatestQuery);
    const { version } =
      query.version !== undefined && isWithoutBody(call.request)
        ? query
        : await parse(LatestVersion, await readObject(call.request, deps.limits));
    if (version === undefined || (query.version ?? version) !== version)
      throw new AppError("invalid_request", "version: the query and the body do not agree");
    return json(await setLatestVersion(deps, call.caller, targetOf(deps, call), version));
  };
}

/** Some hosts hand over an empty stream where nothing was sent. @see RFC 9112, section 6.3 */
function isWithoutBody({ body, headers }: Request): boolean {
  return (
    body === null || ((headers.get("content-length") ?? "0") === "0" && !headers.has("transfer-encoding"))
  );
}
