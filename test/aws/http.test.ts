import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { bufferedHandler, streamingHandler } from "../../src/aws/http.ts";
import type { ResponseStream, StreamingRuntime } from "../../src/aws/runtime.ts";
import type { Doors } from "../../src/core/model.ts";
import { httpApiEvent } from "../support/lambda/events.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const event = httpApiEvent();
const urlEvent = httpApiEvent({
  requestContext: { ...event.requestContext, domainName: "abc.lambda-url.eu-central-1.on.aws" },
});
const context = { getRemainingTimeInMillis: () => 3_000 };

/** As the runtime's: no more than a part of a stream. */
function responseStream(): ResponseStream {
  const stream = new PassThrough().resume();
  return {
    write: (chunk) => stream.write(chunk),
    end: (done) => void stream.end(done),
    on: (name, listener) => stream.on(name, listener),
    off: (name, listener) => stream.off(name, listener),
    setContentType: () => undefined,
  };
}

const runtime: StreamingRuntime = {
  streamifyResponse: (handler) => handler,
  HttpResponseStream: { from: (stream) => stream },
};

function doorThat(respond: () => Response): {
  readonly door: Parameters<typeof bufferedHandler>[0];
  readonly signals: AbortSignal[];
} {
  const signals: AbortSignal[] = [];
  const doors: Doors = {
    fetch: async (_request, { signal }) => {
      signals.push(signal);
      return respond();
    },
    work: async () => undefined,
    tick: async () => ({ recovered: 0, resent: 0, fired: 0, expired: 0 }),
    flush: async () => undefined,
    report: () => undefined,
  };
  const door = {
    doors,
    keys: { function: undefined, admin: undefined },
    hasQueue: false,
  };
  return { door, signals };
}

const broken = () =>
  new Response(new ReadableStream({ pull: (controller) => controller.error(new Error("a bug")) }));

test.each([
  ["answers", () => new Response("ok")],
  ["breaks off", broken],
])(
  "when a handler is done that %s, no timer is left, and its signal stays as it is",
  async (_how, respond) => {
    const { door, signals } = doorThat(respond);
    const handle = streamingHandler(door, runtime);
    await Promise.allSettled([
      bufferedHandler(door)(event, context),
      handle(event, responseStream(), context),
      handle(urlEvent, responseStream(), context),
    ]);
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(10_000);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false, false]);
  },
);

test("a handler that does not stream takes no callback, which the runtime would refuse", () => {
  expect(bufferedHandler(doorThat(() => new Response()).door)).toHaveLength(2);
});
