/**
 * The whole answer at once, for fronts that cannot stream. What is too large for them, or too late, would be a 5xx, for which
 * the official SDKs ask again, up to four times; each time may make a run.
 */

import { isEventStream, isStreamCut } from "../event-stream.ts";
import { chunksOf, type Report } from "./body.ts";
import type { HttpEvent, HttpResult } from "./events.ts";
import { maxResultBytes } from "./fronts.ts";
import { toResult } from "./response.ts";

/** For the headers of an event stream, and the frame that says that it is not whole. */
const ROOM_BYTES = 16_384;

/** Reads all of it, and keeps what the front takes. @throws what its body errors with, unless that is an event stream or was cut */
export async function collect(event: HttpEvent, response: Response, report: Report): Promise<HttpResult> {
  const maxBytes = maxResultBytes(event);
  const chunks: Uint8Array[] = [];
  let length = ROOM_BYTES;
  try {
    for await (const chunk of chunksOf(response, report)) {
      length += isEventStream(response) ? escapedLength(chunk) : chunk.length;
      if (length <= maxBytes) chunks.push(chunk); // the rest is read as well: the run may be executed here
    }
  } catch (error) {
    if (!isStreamCut(error)) throw error;
    const text = "The run goes on in the background, and is joined at the Location";
    return withProblem(event, response, chunks, { status: 408, error: "unavailable", text });
  }
  const result = toResult(event, response, Buffer.concat(chunks));
  if (length <= maxBytes && Buffer.byteLength(JSON.stringify(result)) <= maxBytes) return result;
  const limit = `the ${Math.floor(maxBytes / 1_000_000)} MB that its front takes`;
  const text = `The answer is longer than ${limit}: ask for less ('select', 'limit'), or go on at the Location`;
  const error = isEventStream(response) ? "stream_too_large" : "response_too_large";
  return withProblem(event, response, chunks, { status: 400, error, text }); // for a 413 the SDKs would ask again
}

/** As part of a string of JSON. */
function escapedLength(chunk: Uint8Array): number {
  return JSON.stringify(Buffer.from(chunk).toString("latin1")).length - 2;
}

/** Of an event stream, the events that are whole and one more; in place of anything else, an error with its headers. */
function withProblem(
  event: HttpEvent,
  response: Response,
  chunks: readonly Uint8Array[],
  { status, error, text }: Readonly<Record<"error" | "text", string>> & { readonly status: number },
): HttpResult {
  if (isEventStream(response)) {
    const events = Buffer.concat(chunks);
    const frame = `event: error\ndata: ${JSON.stringify({ error, message: text })}\n\n`;
    const whole = events.subarray(0, events.lastIndexOf("\n\n") + 2);
    return toResult(event, response, Buffer.concat([whole, Buffer.from(frame)]));
  }
  const headers = new Headers(response.headers);
  for (const name of ["content-length", "content-encoding", "etag"]) headers.delete(name);
  headers.set("content-type", "application/json");
  const body = Buffer.from(JSON.stringify({ error, detail: text }));
  return toResult(event, new Response(null, { status, headers }), body);
}
