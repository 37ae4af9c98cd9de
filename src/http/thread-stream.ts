/** The stream of a thread: `threads.joinStream` of the SDK. */

import { z } from "zod";
import type { Scope } from "../core/auth.ts";
import type { ThreadStateDeps } from "../core/thread-states.ts";
import {
  isPartWanted,
  THREAD_STREAM_MODES,
  threadParts,
  type ThreadPosition,
  type ThreadStreamDeps,
  type ThreadStreamMode,
} from "../core/thread-stream.ts";
import { reachThread } from "../core/threads.ts";
import { parse } from "./body.ts";
import { cutSignal } from "./cut.ts";
import { eventsDocs } from "./event-docs.ts";
import { scopeOf, type ProtocolDeps } from "./protocol-commands.ts";
import { queryOf } from "./query.ts";
import type { Call, Route } from "./router.ts";
import { bufferFrames, eventStream, SSE_HEADERS, StreamCut, type WriteFrame } from "./sse.ts";
import { threadId, threadRoute, type ThreadRouteDeps } from "./thread-route.ts";

export interface ThreadStreamRouteDeps
  extends ThreadRouteDeps, ThreadStateDeps, ProtocolDeps, Pick<ThreadStreamDeps, "followThread"> {
  readonly streaming: "live" | "buffered";
  readonly maxStreamResponseBytes: number;
}

/** How long an answer that cannot be streamed collects what comes. */
const BUFFERED_MS = 5_000;
const OPENING = ": open\n\n";

const Mode = z.enum(THREAD_STREAM_MODES);
const Modes = z.union([Mode, z.array(Mode).min(1)]).optional();
const Query = z.strictObject({ stream_mode: Modes, stream_modes: Modes });
const Position = z
  .string()
  .regex(/^\d{1,15}(-(start|done))?$/, "must be the id of an event of this stream, or - for the beginning");

export function threadStreamRoutes(deps: ThreadStreamRouteDeps): readonly Route[] {
  const route = threadRoute(deps);
  return [
    route("GET /threads/{thread_id}/stream", "Follow all runs of a thread, those that start later too", {
      permission: "threads:read",
      query: Query,
      headers: ["Last-Event-ID"],
      responses: { 200: { ...eventsDocs("Server-Sent Events"), headers: ["Location"] } },
      handle: async (call) => joinStream(deps, call),
    }),
  ];
}

async function joinStream(deps: ThreadStreamRouteDeps, call: Call): Promise<Response> {
  const { stream_mode, stream_modes } = await parse(Query, queryOf(call.request), ["query"]);
  const modes = [stream_mode ?? [], stream_modes ?? []].flat();
  const wanted = modes.length === 0 ? (["run_modes"] as const) : [...new Set(modes)];
  const from = await positionOf(call.request);
  const thread = threadId(call);
  const scope = await scopeOf(deps, call, thread, "threads:read");
  await reachThread(deps, scope, thread);
  await call.hold();
  const search = new URLSearchParams(wanted.map((mode) => ["stream_mode", mode]));
  const headers = { ...SSE_HEADERS, location: `${call.path}?${search.toString()}` };
  const gone = new AbortController();
  const produce = async (write: WriteFrame): Promise<void> =>
    writeParts(deps, call, { thread, scope, from, wanted, gone: gone.signal }, write);
  if (deps.streaming === "live")
    return new Response(
      eventStream(deps.clock, produce, () => gone.abort(), { opening: OPENING }),
      { headers },
    );
  void deps.clock.sleep(BUFFERED_MS, call.invocation.signal).then(() => gone.abort());
  const message = "Take the stream up again after the last event";
  const overflow = [{ event: "error", data: { error: "stream_too_large", message } }];
  const text = await bufferFrames(async (write) => produce(write).catch(() => undefined), {
    maxBytes: deps.maxStreamResponseBytes,
    overflow,
  });
  return new Response(text, { headers });
}

interface Watched {
  readonly thread: string;
  readonly scope: Scope;
  readonly from: ThreadPosition | undefined;
  readonly wanted: readonly ThreadStreamMode[];
  readonly gone: AbortSignal;
}

/** Never ends by itself: a client takes up again what was broken off, and believes a clean end. @throws StreamCut */
async function writeParts(
  deps: ThreadStreamRouteDeps,
  { invocation }: Call,
  { thread, scope, from, wanted, gone }: Watched,
  write: WriteFrame,
): Promise<void> {
  const over = new AbortController();
  const cut = cutSignal(deps.clock, invocation, over.signal);
  try {
    const signal = AbortSignal.any([gone, cut, deps.stopping]);
    for await (const part of threadParts(deps, { threadId: thread, scope }, from, signal))
      if (isPartWanted(part, wanted)) await write(part, signal);
  } catch (error) {
    deps.logger.warn({ thread_id: thread, err: error }, "A stream of a thread was broken off");
  } finally {
    over.abort();
  }
  if (!gone.aborted) throw new StreamCut("The invocation ends before the thread does");
}

/** Undefined is from now on; `-`, as `-1` and 0, from the beginning. */
async function positionOf({ headers }: Request): Promise<ThreadPosition | undefined> {
  const id = headers.get("last-event-id");
  if (id === null || id === "") return undefined;
  if (id === "-" || id === "-1") return { after: 0 };
  const [after, told] = (await parse(Position, id, ["last-event-id"])).split("-");
  return { after: Number(after), told: told === "start" || told === "done" ? told : undefined };
}
