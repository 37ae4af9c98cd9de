/** A response's body on its way out of the sandbox, which is frozen once the handler is done: nothing may be left behind. */

import { isEventStream, toPrelude } from "./response.ts";
import type { ResponseStream, StreamingRuntime } from "./runtime.ts";

const failureFrames: Uint8Array = new TextEncoder().encode(
  'event: error\ndata: {"error":"stream processing failed"}\n\nevent: end\ndata: {}\n\n',
);

const cutFrame: Uint8Array = new TextEncoder().encode(
  'event: error\ndata: {"error":"unavailable","message":"The run goes on in the background"}\n\n',
);

export interface Destination {
  readonly runtime: StreamingRuntime;
  readonly stream: ResponseStream;
  /** Once it is aborted, a slow client is no longer waited for. */
  readonly signal: AbortSignal;
}

/**
 * Streams the response: its headers at once, its body as fast as the client takes it.
 * @throws what the body errors with, as `chunksOf` does; the front then breaks the response off.
 */
export async function deliver(response: Response, { runtime, stream, signal }: Destination): Promise<void> {
  const chunks = chunksOf(response);
  const first = chunks.next();
  const isEvents = isEventStream(response) && response.body !== null;
  // Whether a body is empty, its headers have to say; those of an event stream do not wait for its first event.
  const isEmpty =
    !isEvents &&
    (await first.then(
      ({ done }) => done === true,
      () => false,
    ));
  const out = runtime.HttpResponseStream.from(stream, toPrelude(response, isEmpty));
  out.write("");
  let next = await first;
  if (next.done && isEvents) out.write("\n");
  for (; !next.done; next = await chunks.next()) {
    if (!out.write(next.value)) await drained(out, signal);
  }
  await end(out);
}

/** The whole body. An event stream that was cut is what there is of it, and an `error` frame. @throws as `chunksOf` does */
export async function collect(response: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of chunksOf(response)) chunks.push(chunk);
  } catch (error) {
    // Who gets no answer at all asks once more, and has two runs.
    if (!isEventStream(response)) throw error;
    chunks.push(cutFrame);
  }
  return Buffer.concat(chunks);
}

export async function end(out: ResponseStream): Promise<void> {
  await new Promise<void>((resolve) => out.end(resolve));
}

/**
 * The body, read as it is asked for. An event stream that errors ends with an `error` frame.
 * @throws what any other body errors with; and of any body an error named `StreamCut`, after which clients come back.
 */
async function* chunksOf(response: Response): AsyncGenerator<Uint8Array, void> {
  if (!response.body) return;
  try {
    for await (const chunk of response.body) if (chunk.length > 0) yield chunk;
  } catch (error) {
    if (!isEventStream(response) || isStreamCut(error)) throw error;
    console.error(error);
    yield failureFrames;
  }
}

function isStreamCut(error: unknown): boolean {
  return error instanceof Error && error.name === "StreamCut";
}

async function drained(out: ResponseStream, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const settle = (): void => {
      out.off("drain", settle);
      signal.removeEventListener("abort", settle);
      resolve();
    };
    out.on("drain", settle);
    signal.addEventListener("abort", settle);
  });
}
