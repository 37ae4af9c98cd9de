/** The Platform API's threads. */

import { z } from "zod";
import type { Thread } from "../core/model.ts";
import { createThreadWith } from "../core/thread-states.ts";
import {
  checkThreadId,
  copyThread,
  createThread,
  deleteThread,
  getThread,
  pruneThreads,
  searchThreads,
  updateThread,
} from "../core/threads.ts";
import { parse, readObject } from "./body.ts";
import { idempotencyOf } from "./idempotency.ts";
import { readQuery } from "./query.ts";
import { json } from "./respond.ts";
import type { AnswerDocs, Route } from "./router.ts";
import { noContent, threadId, threadRoute, type ThreadRouteDeps } from "./thread-route.ts";
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
      body: ThreadCreate,
      headers: ["Idempotency-Key"],
      answer: aThread,
      handle: create(deps),
    }),
    route("POST /threads/search", "Search threads", {
      body: ThreadSearch,
      answer: aPage,
      handle: search(deps),
    }),
    route("POST /threads/count", "Count threads", {
      body: ThreadCount,
      answer: { description: "How many match", schema: z.int() },
      handle: async ({ request }) =>
        json(await deps.threads.count(await parse(ThreadCount, await readObject(request, deps.limits)))),
    }),
    route("POST /threads/prune", "Delete threads, or their histories", {
      body: ThreadPrune,
      answer: { description: "How many there were", schema: z.object({ pruned_count: z.int() }) },
      handle: async ({ request }) => {
        const { thread_ids, strategy } = await parse(ThreadPrune, await readObject(request, deps.limits));
        return json(await pruneThreads(deps, thread_ids, strategy));
      },
    }),
    route("GET /threads/{thread_id}", "Get a thread", {
      query: ThreadQuery,
      answer: aThread,
      handle: async (call) => {
        const { include } = await readQuery(call.request, ThreadQuery);
        const thread = await getThread(deps, threadId(call));
        if (include === undefined) return json(thread);
        return json({ ...thread, ttl: await deps.threads.expiry(thread.thread_id) });
      },
    }),
    route("PATCH /threads/{thread_id}", "Add to a thread's metadata", {
      body: ThreadPatch,
      headers: ["Prefer"],
      others: { 204: { description: "Added; the client prefers to hear no more" } },
      answer: aThread,
      handle: update(deps),
    }),
    route("DELETE /threads/{thread_id}", "Delete a thread, its runs and its checkpoints", {
      answer: { description: "Deleted" },
      status: 204,
      handle: async (call) => {
        await deleteThread(deps, threadId(call));
        return noContent();
      },
    }),
    route("POST /threads/{thread_id}/copy", "Copy a thread and its checkpoints", {
      answer: aThread,
      handle: async (call) => json(await copyThread(deps, threadId(call))),
    }),
    ...threadStateRoutes(deps, route),
  ];
}

const aPage: AnswerDocs = {
  description:
    "A page of threads, with the fields asked for; X-Pagination-Next tells where the next one starts, and -Total how many there are, as far as a thousand beyond this page.",
  headers: ["X-Pagination-Total", "X-Pagination-Next"],
  schema: z.array(ThreadAnswer.partial()),
};
const aThread: AnswerDocs = { description: "The thread", schema: ThreadAnswer };

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
    return json(
      supersteps.length === 0
        ? await createThread(deps, thread)
        : await createThreadWith(deps, thread, supersteps),
    );
  };
}

function search(deps: ThreadRouteDeps): Route["handle"] {
  return async ({ request }) => {
    const body = await parse(ThreadSearch, await readObject(request, deps.limits));
    const { metadata, values, status, ids, ...page } = body;
    const { threads, total, next } = await searchThreads(deps, { metadata, values, status, ids }, page);
    const response = json(threads satisfies readonly Partial<Thread>[]);
    response.headers.set("x-pagination-total", String(total));
    if (next !== null) response.headers.set("x-pagination-next", String(next));
    return response;
  };
}

function update(deps: ThreadRouteDeps): Route["handle"] {
  return async (call) => {
    const changes = await parse(ThreadPatch, await readObject(call.request, deps.limits));
    const thread = await updateThread(deps, threadId(call), changes);
    return prefersMinimal(call.request) ? noContent() : json(thread);
  };
}

/** @see RFC 7240 */
function prefersMinimal({ headers }: Request): boolean {
  return /(^|[\s,;])return=minimal\b/i.test(headers.get("prefer") ?? "");
}
