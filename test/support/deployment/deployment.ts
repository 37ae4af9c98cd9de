/** What hosts do beside serving requests: they hand over what is in the queue, and tick. */

import { setTimeout as delay } from "node:timers/promises";

/** An app that is deployed, on a host's stand-in. */
export interface Deployment extends AsyncDisposable {
  /** With the route prefix: `http://127.0.0.1:12345/api`. */
  readonly url: string;
  /** What its workers and its schedule failed with. */
  readonly failures: () => readonly unknown[];
  /** What its functions printed. */
  readonly output: () => readonly string[];
}

export interface DeploymentOptions {
  /** The built entry module. */
  readonly entry: string;
  readonly env: Readonly<Record<string, string>>;
  /** The Node binary that runs it. */
  readonly node?: string | undefined;
}

/** The parts of a host; the last one that was opened is closed first. */
export function openings() {
  const opened: AsyncDisposable[] = [];
  return {
    keep: async <Part extends AsyncDisposable>(opening: Part | Promise<Part>): Promise<Part> => {
      const part = await opening;
      opened.push(part);
      return part;
    },
    close: async (): Promise<void> => {
      for (const part of opened.splice(0).toReversed()) await part[Symbol.asyncDispose]();
    },
  };
}

/** How long a trigger waits before it looks at an empty queue again. */
const IDLE_MS = 50;
/** As often as the local server ticks. */
const TICK_MS = 1_000;

export interface Triggers {
  /** Takes what is in the queue; resolves with how each message, or batch of them, is to be handed over. */
  readonly receive: () => Promise<readonly (() => Promise<unknown>)[]>;
  readonly tick: () => Promise<unknown>;
}

export interface Triggering extends AsyncDisposable {
  readonly failures: readonly unknown[];
}

/** Hands over all that comes, at once and beside what is still worked on, and ticks. Disposing of it waits for no worker. */
export function triggering({ receive, tick }: Triggers): Triggering {
  const over = new AbortController();
  const failures: unknown[] = [];
  const noted = async (call: () => Promise<unknown>): Promise<void> => {
    await call().catch((error: unknown) => {
      if (!over.signal.aborted) failures.push(error);
    });
  };
  const every = async (pauseMs: number, call: () => Promise<unknown>): Promise<void> => {
    while (!over.signal.aborted) {
      await noted(call);
      await delay(pauseMs, undefined, { signal: over.signal }).catch(() => undefined);
    }
  };
  const loops = [
    every(IDLE_MS, async () => {
      for (const handOver of await receive()) void noted(handOver);
    }),
    every(TICK_MS, tick),
  ];
  return {
    failures,
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await Promise.all(loops);
    },
  };
}
