/** A response's body on its way out of the sandbox, which is frozen once the handler is done: nothing may be left behind. */

import { failureFrames, isEventStream, isStreamCut } from "../event-stream.ts";
import { toPrelude } from "./response.ts";
import type { ResponseStream, StreamingRuntime } from "./runtime.ts";

/** Is told of a bug in a body. */
export type Report = (error: unknown) => void;

export interface Destination {
  readonly runtime: StreamingRuntime;
  readonly stream: ResponseStream;
  /** Once it is aborted, a slow client is no longer waited for. */
  readonly signal: AbortSignal;
  readonly report: Report;
}

/**
 * Streams the response: its headers at once, its body as fast as the client takes it.
 * @throws what the body errors with, as `chunksOf` does, or the signal's reason when the client has not taken its last
 * piece by then; the front then breaks the response off.
 */
export async function deliver(response: Response, destination: Destination): Promise<void> {
  const { runtime, stream, signal, report } = destination;
  const chunks = chunksOf(response, report);
  const first = chunks.next();
  const isEvents = isEventStream(response) && response.body !== null;
  // Whether a body is empty, its headers have to say; those of an event stream do not wait for its first event.
  const [peeked] = await Promise.allSettled(isEvents ? [] : [first]);
  const isEmpty = peeked?.status === "fulfilled" && peeked.value.done === true;
  const out = runtime.HttpResponseStream.from(stream, toPrelude(response, isEmpty));
  out.write("");
  let next = await first;
  if (next.done && isEvents) out.write("\n");
  let isTaken = true;
  for (; !next.done; next = await chunks.next())
    isTaken = out.write(next.value) || (await drained(out, signal));
  if (!isTaken) throw signal.reason; // `end` would wait for the client until the sandbox is killed
  await end(out);
}

export async function end(out: ResponseStream): Promise<void> {
  await new Promise<void>((resolve) => out.end(resolve));
}

/**
 * The body, read as it is asked for. An event stream that errors ends with an `error` frame.
 * @throws what any other body errors with; and of any body an error named `StreamCut`, after which clients come back.
 */
export async function* chunksOf(response: Response, report: Report): AsyncGenerator<Uint8Array, void> {
  if (!response.body) return;
  try {
    for await (const chunk of response.body) if (chunk.length > 0) yield chunk;
  } catch (error) {
    if (!isEventStream(response) || isStreamCut(error)) throw error;
    report(error);
    yield failureFrames;
  }
}

/** False when the signal comes first. */
async function drained(out: ResponseStream, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false;
  return new Promise<boolean>((resolve) => {
    const settle = (): void => {
      out.off("drain", settle);
      signal.removeEventListener("abort", settle);
      resolve(!signal.aborted);
    };
    out.on("drain", settle);
    signal.addEventListener("abort", settle);
  });
}
