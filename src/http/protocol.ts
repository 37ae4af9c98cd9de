/** The event streaming protocol, version 2, over HTTP and Server-Sent Events: its two routes, and the one that is not to be had. */

import { replayStart } from "../core/commands.ts";
import type { Scope } from "../core/auth.ts";
import type { AuthLevel } from "../core/model.ts";
import { isInScope, isRootEnd, selectionOf, toEnvelope, type EventFilter } from "../core/protocol.ts";
import { isSelected, type EventSelection, type ThreadEvent } from "../core/thread-log.ts";
import { parse, readObject } from "./body.ts";
import { cutSignal } from "./cut.ts";
import { eventsDocs } from "./event-docs.ts";
import { platformRoute } from "./platform-route.ts";
import { COMMAND_PERMISSIONS, runCommand, scopeOf, type ProtocolDeps } from "./protocol-commands.ts";
import { CommandAnswer, CommandBody, EventStreamBody, NoCommand } from "./protocol-schemas.ts";
import { json } from "./respond.ts";
import type { Call, Route } from "./router.ts";
import { bufferFrames, eventStream, SSE_HEADERS, type WriteFrame } from "./sse.ts";
import { threadId } from "./thread-route.ts";

export interface ProtocolRouteDeps extends ProtocolDeps {
  readonly streaming: "live" | "buffered";
  readonly maxStreamResponseBytes: number;
  readonly followThread: (
    threadId: string,
    from: { readonly after: number; readonly scope: Scope; readonly selection?: EventSelection },
    signal: AbortSignal,
  ) => AsyncIterable<ThreadEvent>;
}

/** How long an answer that cannot be streamed waits for the end of a run. */
const BUFFERED_MS = 20_000;
const EVENTS = "/threads/{thread_id}/stream/events";
const OPENING = ": open\n\n";

const ERRORS = {
  401: "A function key is missing, or the caller has not signed in",
  403: "The function key does not open this, or the caller may not do it",
  422: "A field is not what was expected",
  429: "Too many requests; see Retry-After",
  500: "The server failed",
  503: "The database cannot be reached",
} as const;

export function protocolRoutes(deps: ProtocolRouteDeps, authLevel: AuthLevel): readonly Route[] {
  const route = platformRoute(authLevel, "protocol", ERRORS);
  return [
    route("POST /threads/{thread_id}/commands", "Send a command of the event streaming protocol", {
      operationId: "protocol_command",
      permission: COMMAND_PERMISSIONS,
      body: CommandBody,
      responses: {
        200: { description: "What the command came to, or why it was refused", schema: CommandAnswer },
        400: { description: "No command of the protocol, or no thread id", schema: NoCommand },
        404: { description: "There is no such assistant", schema: CommandAnswer },
      },
      handle: async (call) => runCommand(deps, call),
    }),
    route(
      `POST ${EVENTS}`,
      "Follow a thread's runs as events of the protocol; the thread need not exist yet",
      {
        operationId: "protocol_stream",
        permission: "threads:read",
        body: EventStreamBody,
        responses: {
          200: eventsDocs("Server-Sent Events"),
          400: "The body is not JSON or over a limit, or the thread id is not valid",
        },
        handle: openStream(deps),
      },
    ),
    route(`GET ${EVENTS}`, "Where other servers take WebSockets; functions cannot", {
      operationId: "protocol_socket",
      permission: "signed-in",
      responses: { 405: "POST to this path for Server-Sent Events" },
      handle: refuseSocket,
    }),
  ];
}

/** What the thread's runs stream, from the newest run's beginning on, until the client leaves or the time is up. */
function openStream(deps: ProtocolRouteDeps): Route["handle"] {
  return async (call) => {
    const body = await parse(EventStreamBody, await readObject(call.request, deps.limits));
    const thread = threadId(call);
    const scope = await scopeOf(deps, call, thread, "threads:read");
    const filter = {
      channels: body.channels,
      namespaces: body.namespaces ?? undefined,
      depth: body.depth ?? undefined,
    };
    await call.hold();
    const after = body.since ?? (await replayStart(deps, { threadId: thread, scope }));
    const gone = new AbortController();
    const produce = async (write: WriteFrame): Promise<void> =>
      writeEvents(deps, call, { thread, scope, filter, after, gone: gone.signal }, write);
    if (deps.streaming === "live") {
      const stream = eventStream(deps.clock, produce, () => gone.abort(), { opening: OPENING });
      return new Response(stream, { headers: SSE_HEADERS });
    }
    const overflow = [{ event: "error", data: { error: "stream_too_large", message: "Narrow the filter" } }];
    const maxBytes = deps.maxStreamResponseBytes;
    return new Response(await bufferFrames(produce, { maxBytes, overflow }), { headers: SSE_HEADERS });
  };
}

interface Watched {
  readonly thread: string;
  readonly scope: Scope;
  readonly filter: EventFilter;
  readonly after: number;
  readonly gone: AbortSignal;
}

/** A clean end is what makes clients come back; they know by the events' ids what they have. */
async function writeEvents(
  deps: ProtocolRouteDeps,
  { invocation }: Call,
  { thread, scope, filter, after, gone }: Watched,
  write: WriteFrame,
): Promise<void> {
  const isBuffered = deps.streaming === "buffered";
  const over = new AbortController();
  const late = new AbortController();
  if (isBuffered) void deps.clock.sleep(BUFFERED_MS, over.signal).then(() => late.abort());
  const cut = cutSignal(deps.clock, invocation, over.signal);
  const signal = AbortSignal.any([gone, cut, late.signal, deps.stopping]);
  try {
    const known = isBuffered ? await deps.log.newestSeq(thread, scope) : Number.POSITIVE_INFINITY;
    const channels = isBuffered ? [...filter.channels, "lifecycle"] : filter.channels;
    const wanted = selectionOf(filter);
    const from = { after, scope, selection: selectionOf({ channels }) };
    for await (const event of deps.followThread(thread, from, signal)) {
      if (signal.aborted) break;
      if (isSelected(event.event, wanted) && isInScope(event, filter)) {
        const { method, event_id, text } = toEnvelope(event);
        await write({ event: method, id: event_id, text }, signal);
      }
      if (event.seq > known && isRootEnd(event)) break;
    }
  } catch (error) {
    deps.logger.warn({ thread_id: thread, err: error }, "A stream of a thread was broken off");
  } finally {
    over.abort();
  }
}

/** A function's answer is one response to one request: nothing can be sent to it meanwhile. */
function refuseSocket({ request }: Call): Response {
  const detail = request.headers.has("upgrade")
    ? "WebSockets are not possible here: POST to this path for Server-Sent Events"
    : "POST to this path for Server-Sent Events";
  return json({ error: "method_not_allowed", detail }, 405, { allow: "POST" });
}
