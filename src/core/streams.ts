/** How many answers one caller may hold open: streams, and answers that wait for a run. Counted across all instances. */

import type { Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import type { LeaseTerm } from "./ports.ts";

/** The places that are taken. One lapses by itself when its instance gives no sign of life any more. */
export interface StreamStore {
  /** Takes a place, unless the caller has as many as it may. Of two at the same instant, the statement decides. */
  readonly open: (
    stream: { readonly stream_id: string; readonly identity: string },
    max: number,
    term: LeaseTerm,
  ) => Promise<boolean>;
  readonly hold: (stream_id: string, term: LeaseTerm) => Promise<void>;
  readonly close: (stream_id: string) => Promise<void>;
}

export interface StreamLimit {
  readonly streams: StreamStore;
  readonly clock: Clock;
  readonly newId: () => string;
  /** Of one caller. */
  readonly maxStreams: number;
}

/** A place among the streams of a caller. Disposing of it gives it back. */
export type OpenStream = AsyncDisposable;

const LEASE_MS = 60_000;
const HOLD_MS = 20_000;
/** When asking again may make sense. */
const RETRY_SECONDS = 5;

/** @throws AppError `rate_limited` when the caller holds as many open as it may */
export async function openStream(
  { streams, clock, newId, maxStreams }: StreamLimit,
  identity: string,
): Promise<OpenStream> {
  const stream_id = newId();
  const term = (): LeaseTerm => {
    const now = clock.now();
    return { now, until: new Date(now.getTime() + LEASE_MS) };
  };
  if (!(await streams.open({ stream_id, identity }, maxStreams, term())))
    throw new AppError("rate_limited", `More than ${maxStreams} streams are open at a time`, {
      retryAfterSeconds: RETRY_SECONDS,
    });
  // Who cannot be reached now is asked again: the lease is longer.
  const heartbeat = clock.every(HOLD_MS, async () => streams.hold(stream_id, term()).catch(() => undefined));
  return {
    [Symbol.asyncDispose]: async () => {
      heartbeat[Symbol.dispose]();
      await streams.close(stream_id).catch(() => undefined); // it lapses
    },
  };
}
