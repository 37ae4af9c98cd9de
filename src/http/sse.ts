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

/** Frames that may wait for a slow reader before what writes them waits too; a run never does. */
const READ_AHEAD_FRAMES = 16;

const STALLED = "The time is up, and the reader does not read";

export function encodeFrame(frame: Frame | TextFrame): string {
  const { event, id } = frame;
  const idLine = id === undefined ? "" : `id: ${id}\n`;
  return `event: ${event}\ndata: ${"text" in frame ? frame.text : JSON.stringify(frame.data)}\n${idLine}\n`;
}

/**
 * Writes one frame; resolves when the reader has room for the next or the signal aborts, or at once when there is no
 * reader any more.
 */
export type WriteFrame = (frame: Frame | TextFrame, signal?: AbortSignal) => Promise<void>;

/**
 * A stream of what `produce` writes, which starts at once, and ends or errors when `produce` does; it is cut if its reader
 * had no room for the last frame when the signal aborted. While nothing is written it sends comments; `opening` is sent at
 * once, for hosts that hold the headers back until something comes. When the reader goes away, `produce` goes on without
 * it, and `onGone` is told.
 */
export function eventStream(
  clock: Clock,
  produce: (write: WriteFrame) => Promise<void>,
  onGone: () => void = () => undefined,
  { opening = "" }: { readonly opening?: string } = {},
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let isOpen = true;
  let isStalled = false;
  let proceed = (): void => undefined;
  const close = (): void => {
    isOpen = false;
    proceed();
  };
  const source: UnderlyingDefaultSource<Uint8Array> = {
    start: (controller) => {
      const hasRoom = (): boolean => (controller.desiredSize ?? 0) > 0;
      const send = (text: string): void => {
        if (isOpen) controller.enqueue(encoder.encode(text));
      };
      if (opening !== "") send(opening);
      const heartbeat = clock.every(HEARTBEAT_MS, async () => {
        if (hasRoom()) send(": heartbeat\n\n");
      });
      const write: WriteFrame = async (frame, signal) => {
        send(encodeFrame(frame));
        if (isOpen && !hasRoom()) await woken((wake) => (proceed = wake), signal);
        isStalled = isOpen && !hasRoom();
      };
      const end = (finish: () => void): void => {
        heartbeat[Symbol.dispose]();
        if (isOpen) finish();
        close();
      };
      const release = holdRequestSpan();
      void produce(write)
        .then(
          () => end(() => (isStalled ? controller.error(new StreamCut(STALLED)) : controller.close())),
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

/** Resolves when what it gives is called, or the signal aborts. */
async function woken(give: (wake: () => void) => void, signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted === true) return;
  await new Promise<void>((resolve) => {
    const wake = (): void => {
      signal?.removeEventListener("abort", wake);
      resolve();
    };
    signal?.addEventListener("abort", wake);
    give(wake);
  });
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
