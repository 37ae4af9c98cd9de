/** What a thread takes up: the Platform API's `GET /threads/{thread_id}/storage`. */

import { z } from "zod";
import { measureThread, type ThreadStorageDeps } from "../core/thread-storage.ts";
import { json } from "./respond.ts";
import type { Route } from "./router.ts";
import { threadId, threadRoute, type ThreadRouteDeps } from "./thread-route.ts";

export type ThreadStorageRouteDeps = ThreadRouteDeps & ThreadStorageDeps;

const Rows = z.object({ count: z.int(), bytes: z.int() });

/** @see https://docs.langchain.com/langsmith/agent-server-api/threads/get-thread-storage */
const ThreadStorageAnswer = z.object({
  thread_id: z.string(),
  total_bytes: z.int().meta({ description: "The sum of the three below." }),
  checkpoints: Rows,
  channel_values: Rows.extend({
    by_channel: z.record(z.string(), z.object({ versions: z.int(), bytes: z.int() })),
  }).meta({ description: "A row for each version of a channel." }),
  pending_writes: Rows.meta({
    description: "What tasks wrote; kept with its checkpoint when a later one has taken it up.",
  }),
});

export function threadStorageRoutes(deps: ThreadStorageRouteDeps): readonly Route[] {
  const route = threadRoute(deps);
  return [
    route("GET /threads/{thread_id}/storage", "Tell how many bytes a thread's checkpoints take up", {
      permission: "threads:read",
      responses: { 200: { description: "The bytes, as they are stored", schema: ThreadStorageAnswer } },
      handle: async (call) => json(await measureThread(deps, call.caller, threadId(call))),
    }),
  ];
}
