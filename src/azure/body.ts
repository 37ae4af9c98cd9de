/** A response's body as `@azure/functions` can bear it: it reads without pause and hangs for ever when a body errors. */

import { ReadableStream as NodeReadableStream } from "node:stream/web";
import { failureFrames, isStreamCut } from "../event-stream.ts";
import type { Connection } from "./connection.ts";

export interface Delivery {
  readonly stream: NodeReadableStream<Uint8Array>;
  /** Resolves when the connection is closed and the producer, if it was cancelled, is done with that. */
  readonly settled: Promise<unknown>;
}

/**
 * Sends the headers with the first read, waits for a slow client, and cancels `body` when the client leaves. A body that
 * errors ends its event stream with an `error` frame, any other response broken off; an error named `StreamCut` is no
 * failure and breaks both off.
 */
export function deliver(
  body: ReadableStream<Uint8Array>,
  connection: Connection,
  isEventStream: boolean,
): Delivery {
  const reader = body.getReader();
  const cancelled = connection.closed.then(() => reader.cancel());
  reader.closed.catch(async (error: unknown) => {
    // Not left to the loop below, which may be waiting for a client that reads no more.
    if (isStreamCut(error)) await connection.cut();
  });

  async function* chunks(): AsyncGenerator<Uint8Array, void> {
    connection.sendHeaders();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        yield value;
        await connection.drained();
      }
    } catch (error) {
      if (!connection.hasLeft) {
        if (isEventStream && !isStreamCut(error)) {
          yield failureFrames;
          connection.end();
        } else {
          await connection.cut();
        }
        // With this the host records the invocation as failed.
        if (!isStreamCut(error)) throw error;
      }
    }
    if (connection.hasLeft) await cancelled;
  }

  return { stream: NodeReadableStream.from(chunks()), settled: Promise.allSettled([cancelled]) };
}
