/** Between Node's HTTP server and web-standard requests. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { setImmediate } from "node:timers/promises";
import { getRequestListener } from "@hono/node-server";
import { isStreamCut } from "./event-stream.ts";

/** What is called with each request of a server. */
export type Listener<Incoming extends IncomingMessage> = (
  incoming: Incoming,
  outgoing: ServerResponse,
) => void;

/** Answers with what `answer` resolves to. A stream that is cut breaks the connection, so that clients take it up again. */
export function nodeListener<Incoming extends IncomingMessage>(
  answer: (request: Request, incoming: Incoming) => Promise<Response>,
): Listener<Incoming> {
  return (incoming, outgoing) => {
    const listener = getRequestListener(
      async (request) => {
        const response = await answer(request, incoming);
        if (response.body === null) return response;
        return new Response(
          untilCut(response.body, () => outgoing.destroy()),
          response,
        );
      },
      { overrideGlobalObjects: false },
    );
    void listener(incoming, outgoing);
  };
}

/** The body; where it is cut, the connection breaks, without the stack that the server prints of a body that errors. */
function untilCut(body: ReadableStream<Uint8Array>, cut: () => void): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  // Also while nothing is read, as the client takes nothing.
  reader.closed.catch(async (error: unknown) => {
    await setImmediate(); // what has been written in this turn leaves
    if (isStreamCut(error)) cut();
  });
  const source: UnderlyingDefaultSource<Uint8Array> = {
    pull: async (controller) => {
      try {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        if (!isStreamCut(error)) throw error;
      }
    },
    cancel: async (reason) => reader.cancel(reason),
  };
  return new ReadableStream(source, { highWaterMark: 0 });
}
