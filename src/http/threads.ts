/** The Platform API's threads. */

import { z } from "zod";
import { deleteThread, pruneThreads } from "../core/thread-removal.ts";
import { createThreadWith } from "../core/thread-states.ts";
import {
  checkThreadId,
  copyThread,
  countThreads,
  createThread,
  getThread,
  getThreadWithTtl,
  searchThreads,
  updateThread,
} from "../core/threads.ts";
import { checkCommand, checkMessages, parse, readObject } from "./body.ts";
import { idempotencyOf } from "./idempotency.ts";
import type { MakeRoute } from "./platform-route.ts";
import { readQuery } from "./query.ts";
import { json, noContent, pageOf } from "./respond.ts";
import type { AnswerDocs, Route } from "./router.ts";
import { openGraphs, threadId, threadRoute, type ThreadRouteDeps } from "./thread-route.ts";
import {
  ThreadAnswer,
  ThreadCount,
  ThreadCreate,
  ThreadPatch,
  ThreadPrune,
  ThreadQuery,
  ThreadSearch,
} from "./thread-schemas.ts";
import { threadStateRoutes } from "./thread-states.ts";

export function threadRoutes(deps: ThreadRouteDeps): readonly Route[] {
  const route = threadRoute(deps);
  return [
    route("POST /threads", "Create a thread", {
      permission: "threads:create",
      body: ThreadCreate,
      headers: ["Idempotency-Key"],
      responses: { 200: aThread },
      handle: create(deps),
    }),
    ...manyRoutes(deps, route),
    ...oneRoutes(deps, route),
    ...threadStateRoutes(deps, route),
  ];
}

const aThread: AnswerDocs = { description: "The thread", schema: ThreadAnswer };

function manyRoutes(deps: ThreadRouteDeps, route: MakeRoute): readonly Route[] {
  return [
    route("POST /threads/search", "Search threads", {
      permission: "threads:search",
      body: ThreadSearch,
      responses: { 200: aPage },
      handle: search(deps),
    }),
    route("POST /threads/count", "Count threads", {
      permission: "threads:search",
      body: ThreadCount,
      responses: { 200: { description: "How many match", schema: z.int() } },
      handle: async ({ request, caller }) => {
        const filter = await parse(ThreadCount, await readObject(request, deps.limits));
        return json(await countThreads(deps, caller, filter));
      },
    }),
    route("POST /threads/prune", "Delete threads, or their histories", {
      permission: "threads:delete",
      body: ThreadPrune,
      responses: { 200: { description: "How many there were", schema: z.object({ pruned_count: z.int() }) } },
      handle: async ({ request, caller }) => {
        const { thread_ids, strategy } = await parse(ThreadPrune, await readObject(request, deps.limits));
        return json(await pruneThreads(deps, caller, thread_ids, strategy));
      },
    }),
  ];
}

function oneRoutes(deps: ThreadRouteDeps, route: MakeRoute): readonly Route[] {
  return [
    route("GET /threads/{thread_id}", "Get a thread", {
      permission: "threads:read",
      query: ThreadQuery,
      responses: { 200: aThread },
      handle: async (call) => {
        const { include } = await readQuery(call.request, ThreadQuery);
        const get = include === undefined ? getThread : getThreadWithTtl;
        return json(await get(deps, call.caller, threadId(call)));
      },
    }),
    route("PATCH /threads/{thread_id}", "Add to a thread's metadata", {
      permission: "threads:update",
      body: ThreadPatch,
      headers: ["Prefer"],
      responses: { 200: aThread, 204: { description: "Added; the client prefers to hear no more" } },
      handle: update(deps),
    }),
    route("DELETE /threads/{thread_id}", "Delete a thread, its runs and its checkpoints", {
      permission: "threads:delete",
      responses: { 204: { description: "Deleted" } },
      handle: async (call) => {
        await deleteThread(deps, call.caller, threadId(call));
        return noContent();
      },
    }),
    route("POST /threads/{thread_id}/copy", "Copy a thread and its checkpoints", {
      permission: "threads:create",
      responses: { 200: aThread },
      handle: async (call) => json(await copyThread(deps, call.caller, threadId(call))),
    }),
  ];
}

const aPage: AnswerDocs = {
  description:
    "A page of threads, with the fields asked for; X-Pagination-Next tells where the next one starts, and -Total how many there are, as far as a thousand beyond this page.",
  headers: ["X-Pagination-Total", "X-Pagination-Next"],
  schema: z.array(ThreadAnswer.partial()),
};

function create(deps: ThreadRouteDeps): Route["handle"] {
  return async (call) => {
    const sent = await readObject(call.request, deps.limits);
    const body = await parse(ThreadCreate, sent);
    const thread_id = body.thread_id ?? undefined;
    const thread = {
      thread_id: thread_id === undefined ? undefined : checkThreadId(thread_id),
      metadata: body.metadata,
      if_exists: body.if_exists,
      ttl: body.ttl,
      idempotency: idempotencyOf(call, sent),
    };
    const { supersteps = [] } = body;
    for (const { values, command } of supersteps.flatMap(({ updates }) => updates)) {
      checkMessages(values, "supersteps.updates.values", deps.limits);
      checkCommand(command, "supersteps.updates.command", deps.limits);
    }
    return json(
      supersteps.length === 0
        ? await createThread(deps, call.caller, thread)
        : await createThreadWith(deps, call.caller, thread, { supersteps, checkGraph: openGraphs(call) }),
    );
  };
}

function search(deps: ThreadRouteDeps): Route["handle"] {
  return async ({ request, caller }) => {
    const body = await parse(ThreadSearch, await readObject(request, deps.limits));
    const { metadata, values, status, ids, ...page } = body;
    const filter = { metadata, values, status, ids };
    return pageOf(await searchThreads(deps, caller, filter, page));
  };
}

function update(deps: ThreadRouteDeps): Route["handle"] {
  return async (call) => {
    const changes = await parse(ThreadPatch, await readObject(call.request, deps.limits));
    const thread = await updateThread(deps, call.caller, threadId(call), changes);
    return prefersMinimal(call.request) ? noContent() : json(thread);
  };
}

/** @see RFC 7240 */
function prefersMinimal({ headers }: Request): boolean {
  return /(^|[\s,;])return=minimal\b/i.test(headers.get("prefer") ?? "");
}
