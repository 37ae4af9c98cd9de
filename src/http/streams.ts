/** Answers that are held open for a run, within the caller's limit. */

import { openStream, type OpenStream, type StreamLimit } from "../core/streams.ts";

/** The answer to one request, as far as it counts among those that its caller holds open. */
export interface HeldAnswer {
  /** Counts it; once, however often it is called. @throws AppError `rate_limited` */
  readonly hold: () => Promise<void>;
  /** The answer, which counts until its body has ended, has broken off, or nobody reads it any more. */
  readonly until: (answer: () => Promise<Response>) => Promise<Response>;
}

/** Where there is no limit. */
const UNLIMITED: HeldAnswer = { hold: async () => undefined, until: async (answer) => answer() };

export function heldAnswer(limit: StreamLimit | undefined, identity: () => string): HeldAnswer {
  if (limit === undefined) return UNLIMITED;
  let opened: Promise<OpenStream> | undefined;
  const close = async (): Promise<void> => {
    const stream = await opened?.catch(() => undefined);
    opened = undefined;
    await stream?.[Symbol.asyncDispose]();
  };
  return {
    hold: async () => {
      opened ??= openStream(limit, identity());
      await opened;
    },
    until: async (answer) => {
      try {
        const response = await answer();
        if (response.body !== null) return new Response(closing(response.body, close), response);
        await close();
        return response;
      } catch (error) {
        await close();
        throw error;
      }
    },
  };
}

/** The same bytes; `close` is done before their end is told, as a function host may freeze us after it. */
function closing(body: ReadableStream<Uint8Array>, close: () => Promise<void>): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  const source: UnderlyingDefaultSource<Uint8Array> = {
    start: (controller) => {
      // Told to who does not read, too: the host has a connection to break.
      reader.closed.catch(async (error: unknown) => {
        await close();
        controller.error(error);
      });
    },
    pull: async (controller) => {
      try {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        await close();
        controller.close();
      } catch (error) {
        await close();
        throw error;
      }
    },
    cancel: async (reason) => {
      try {
        await reader.cancel(reason);
      } finally {
        await close();
      }
    },
  };
  return new ReadableStream(source, { highWaterMark: 0 });
}
