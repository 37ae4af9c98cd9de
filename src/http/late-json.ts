/** JSON that takes its time: the answer begins at once, and line breaks keep the connection while there is nothing to say. */

import type { Clock } from "../clock.ts";
import { holdRequestSpan } from "./request-span.ts";

const HEARTBEAT_MS = 5_000;

/** JSON allows white space before it. Errors when `produce` does; `onGone` is told when the reader goes away. */
export function lateJson(
  clock: Clock,
  produce: () => Promise<unknown>,
  onGone: () => void,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let isOpen = true;
  const source: UnderlyingDefaultSource<Uint8Array> = {
    start: (controller) => {
      const heartbeat = clock.every(HEARTBEAT_MS, async () => {
        if (isOpen) controller.enqueue(encoder.encode("\n"));
      });
      const end = (finish: () => void): void => {
        heartbeat[Symbol.dispose]();
        if (isOpen) finish();
        isOpen = false;
      };
      const answer = (value: unknown): void => {
        controller.enqueue(encoder.encode(JSON.stringify(value ?? null)));
        controller.close();
      };
      const release = holdRequestSpan();
      void produce()
        .then(
          (value) => end(() => answer(value)),
          (error: unknown) => end(() => controller.error(error)),
        )
        .finally(release);
    },
    cancel: () => {
      isOpen = false;
      onGone();
    },
  };
  return new ReadableStream(source);
}
