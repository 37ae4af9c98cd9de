/** What hosts know of event streams, which they send on their way. */

export function isEventStream({ headers }: Response): boolean {
  return headers.get("content-type")?.startsWith("text/event-stream") ?? false;
}

/** Whether a stream goes on elsewhere: no failure, but the connection must break, so that its client takes it up again. */
export function isStreamCut(error: unknown): boolean {
  return error instanceof Error && error.name === "StreamCut";
}

/** The end of a stream whose body has failed. */
export const failureFrames: Uint8Array = new TextEncoder().encode(
  'event: error\ndata: {"error":"stream processing failed"}\n\nevent: end\ndata: {}\n\n',
);
