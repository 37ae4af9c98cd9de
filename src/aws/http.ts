/** The first door on Lambda. */

import type { Doors } from "../core/model.ts";
import { openedLevel, type Keys } from "../keys.ts";
import { deliver, end, type Report } from "./body.ts";
import { collect } from "./buffered.ts";
import { assertHttpEvent, type HttpEvent, type HttpResult, type LambdaContext } from "./events.ts";
import { patienceMs, takesStreams, type LambdaOptions } from "./fronts.ts";
import { openTime, type InvocationTime } from "./invocation.ts";
import { clientAddress, toWebRequest } from "./request.ts";
import { assertSendable } from "./response.ts";
import type { ResponseStream, StreamingRuntime } from "./runtime.ts";

export interface HttpDoor extends LambdaOptions {
  readonly doors: Doors;
  /** Lambda has no keys of its own, so these are all that opens more than the level `anonymous`. */
  readonly keys: Keys;
  /** Whether there are workers, who go on with what an invocation leaves. */
  readonly hasQueue: boolean;
  readonly signOfLifeMs?: number | undefined;
}

export type BufferedHandler = (event: HttpEvent, context: LambdaContext) => Promise<HttpResult>;
export type StreamingHandler = (
  event: HttpEvent,
  stream: ResponseStream,
  context: LambdaContext,
) => Promise<void>;

/** For runtimes that cannot stream. It takes no third argument: the runtime refuses handlers that could take a callback. */
export function bufferedHandler(door: HttpDoor): BufferedHandler {
  return async (event, context) => {
    assertHttpEvent(event);
    using time = await openTime(context, patienceMs(event, door));
    try {
      const response = await answer(door, event, { time, requestId: context.awsRequestId });
      return await collect(event, response, reporter(door, response));
    } finally {
      await door.doors.flush(time.signal); // a buffered answer waits for it, a streamed one has left
    }
  };
}

/** Streams to the fronts that take it, and to the others writes the result that a buffered handler would return. */
export function streamingHandler(door: HttpDoor, runtime: StreamingRuntime): StreamingHandler {
  return async (event, stream, context) => {
    // On Node.js 22 an invocation else lasts until no socket and no timer is left: to its time-out, where an app keeps one.
    Object.assign(context, { callbackWaitsForEmptyEventLoop: false });
    assertHttpEvent(event);
    const streams = takesStreams(event, door);
    using time = await openTime(context, streams ? undefined : patienceMs(event, door));
    try {
      const asked = streams ? door : { ...door, signOfLifeMs: undefined };
      const response = await answer(asked, event, { time, requestId: context.awsRequestId });
      const report = reporter(door, response);
      if (streams) {
        await deliver(response, { runtime, stream, signal: time.signal, report });
      } else {
        const result = await collect(event, response, report);
        stream.setContentType("application/json");
        stream.write(JSON.stringify(result));
        await end(stream);
      }
    } finally {
      await door.doors.flush(time.signal); // a buffered answer waits for it, a streamed one has left
    }
  };
}

function reporter({ doors }: HttpDoor, { headers }: Response): Report {
  return (error) => doors.report(error, headers.get("x-request-id") ?? undefined);
}

/** Always resolves: what a handler throws before its first byte would be a 502 without a word. */
async function answer(
  { doors, keys, signOfLifeMs }: HttpDoor,
  event: HttpEvent,
  { time, requestId }: { readonly time: InvocationTime; readonly requestId: string | undefined },
): Promise<Response> {
  try {
    const request = toWebRequest(event);
    const address = clientAddress(event, request);
    const response = await doors.fetch(request, {
      signal: time.signal,
      deadline: time.deadline,
      authLevel: openedLevel(keys, request),
      isKeyVerified: true,
      ...(signOfLifeMs && { signOfLifeMs }),
      ...(requestId && { requestId }),
      ...(address && { address }),
    });
    assertSendable(response);
    if (request.method !== "HEAD") return response;
    await response.body?.cancel();
    return new Response(null, response);
  } catch (error) {
    doors.report(error, requestId);
    return Response.json({ error: "internal", detail: "Internal Server Error" }, { status: 500 });
  }
}
