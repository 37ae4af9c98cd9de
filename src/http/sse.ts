/** Server-Sent Events. @see https://html.spec.whatwg.org/multipage/server-sent-events.html */

import type { Clock } from "../clock.ts";
import { holdRequestSpan } from "./request-span.ts";

export interface Frame {
  readonly event: string;
  readonly data: unknown;
  /** Where a reader that was cut off goes on. */
  readonly id?: number | string;
}

/** A frame whose data is JSON text already. */
export interface TextFrame extends Omit<Frame, "data"> {
  readonly text: string;
}

/** Ends a body before its time: the host breaks the connection, and clients come back for the rest. */
export class StreamCut extends Error {
  override readonly name = "StreamCut";
}

export const SSE_HEADERS: Readonly<Record<string, string>> = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache",
  "x-accel-buffering": "no",
};

/** A steady interval below what proxies allow an idle connection, and what newer SDKs derive their time-out from. */
const HEARTBEAT_MS = 10_000;

/** Frames that may wait for a slow reader before the run waits too. */
const READ_AHEAD_FRAMES = 16;

export function encodeFrame(frame: Frame | TextFrame): string {
  const { event, id } = frame;
  const idLine = id === undefined ? "" : `id: ${id}\n`;
  return `event: ${event}\ndata: ${"text" in frame ? frame.text : JSON.stringify(frame.data)}\n${idLine}\n`;
}

/** Writes one frame; resolves when the reader has room for the next, or at once when there is no reader any more. */
export type WriteFrame = (frame: Frame | TextFrame) => Promise<void>;

/**
 * A stream of what `produce` writes, which starts at once, and ends or errors when `produce` does. While nothing is
 * written it sends comments; `opening` is sent at once, for hosts that hold the headers back until something comes. When the reader goes away, `produce` goes on without it, and `onGone` is told.
 */
export function eventStream(
  clock: Clock,
  produce: (write: WriteFrame) => Promise<void>,
  onGone: () => void = () => undefined,
  { opening = "" }: { readonly opening?: string } = {},
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let isOpen = true;
  let proceed = (): void => undefined;
  const close = (): void => {
    isOpen = false;
    proceed();
  };
  const source: UnderlyingDefaultSource<Uint8Array> = {
    start: (controller) => {
      const send = (text: string): void => {
        if (isOpen) controller.enqueue(encoder.encode(text));
      };
      if (opening !== "") send(opening);
      const heartbeat = clock.every(HEARTBEAT_MS, async () => {
        if ((controller.desiredSize ?? 0) > 0) send(": heartbeat\n\n");
      });
      const write: WriteFrame = async (frame) => {
        send(encodeFrame(frame));
        if (!isOpen || (controller.desiredSize ?? 0) > 0) return;
        await new Promise<void>((resolve) => {
          proceed = resolve;
        });
      };
      const end = (finish: () => void): void => {
        heartbeat[Symbol.dispose]();
        if (isOpen) finish();
        close();
      };
      const release = holdRequestSpan();
      void produce(write)
        .then(
          () => end(() => controller.close()),
          (error: unknown) => end(() => controller.error(error)),
        )
        .finally(release);
    },
    pull: () => proceed(),
    cancel: () => {
      close();
      onGone();
    },
  };
  return new ReadableStream(source, { highWaterMark: READ_AHEAD_FRAMES });
}

/** What `produce` writes as one text of at most `maxBytes`; after an overflow, `overflow` ends it instead. */
export async function bufferFrames(
  produce: (write: WriteFrame) => Promise<void>,
  { maxBytes, overflow }: { readonly maxBytes: number; readonly overflow: readonly Frame[] },
): Promise<string> {
  const frames: string[] = [];
  let bytes = 0;
  await produce(async (frame) => {
    const text = encodeFrame(frame);
    bytes += Buffer.byteLength(text);
    if (bytes <= maxBytes) frames.push(text);
  });
  return frames.join("") + (bytes > maxBytes ? overflow.map(encodeFrame).join("") : "");
}
