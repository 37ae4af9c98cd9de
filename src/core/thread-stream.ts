/** The rules of a thread's stream: what its runs stream, one after the other, with each one's beginning and end. */

import { EVERYTHING } from "./auth.ts";
import type { Clock } from "../clock.ts";
import type { Scope } from "./auth.ts";
import type { Engine } from "./execution.ts";
import { isFinal } from "./model.ts";
import type { RunStore } from "./ports.ts";
import { inFirstVersion } from "./protocol.ts";
import { NO_RUN, STATE_UPDATE, type ThreadEvent, type ThreadLog } from "./thread-log.ts";

export const THREAD_STREAM_MODES = ["run_modes", "lifecycle", "state_update"] as const;
export type ThreadStreamMode = (typeof THREAD_STREAM_MODES)[number];

export type FollowThread = (
  threadId: string,
  from: { readonly after: number; readonly scope: Scope },
  signal: AbortSignal,
) => AsyncIterable<ThreadEvent>;

export interface ThreadStreamDeps {
  readonly runs: Pick<RunStore, "get">;
  readonly engine: Pick<Engine, "follow">;
  readonly log: ThreadLog;
  readonly followThread: FollowThread;
  readonly clock: Clock;
}

/** Where a reader stands: after an event, and after the beginning of the next run, or the end of the last, if it says so. */
export interface ThreadPosition {
  readonly after: number;
  readonly told?: "start" | "done" | undefined;
}

export interface ThreadPart {
  readonly mode: ThreadStreamMode;
  readonly event: string;
  /** JSON. */
  readonly text: string;
  /** The event's number; with a word behind it for what comes between two events. */
  readonly id: string;
}

/** A thread, and how far its reader reaches. */
export interface ReadThread {
  readonly threadId: string;
  readonly scope: Scope;
}

/** From the position on, or from now, until the signal aborts; each part once. */
export async function* threadParts(
  deps: ThreadStreamDeps,
  thread: ReadThread,
  from: ThreadPosition | undefined,
  signal: AbortSignal,
): AsyncGenerator<ThreadPart> {
  const { threadId, scope } = thread;
  const after = from?.after ?? (await deps.log.newestSeq(threadId, scope));
  const over = new AbortController();
  const reading = AbortSignal.any([signal, over.signal]);
  const run = await runAt(deps, thread, after, from);
  const reader = new Reader(deps, thread, { after, run, isStartTold: from?.told === "start" }, reading);
  const events = deps.followThread(threadId, { after, scope }, reading)[Symbol.asyncIterator]();
  try {
    let next = seen(events.next());
    for (;;) {
      const end = await reader.end();
      if (end !== null) yield end;
      const found = await reader.orEnd(next);
      if (signal.aborted || found?.done === true) return;
      if (found === undefined) continue;
      next = seen(events.next());
      yield* reader.take(found.value);
    }
  } finally {
    over.abort();
  }
}

interface Standing {
  readonly after: number;
  readonly run: string | undefined;
  readonly isStartTold: boolean;
}

/** One reading of a thread: which run it is in the middle of, and whether that has ended. */
class Reader {
  readonly #deps: ThreadStreamDeps;
  readonly #thread: ReadThread;
  readonly #signal: AbortSignal;
  #after: number;
  #run: string | undefined;
  #isStartTold: boolean;
  #isEnding = false;
  #ended: Promise<undefined>;

  constructor(deps: ThreadStreamDeps, thread: ReadThread, standing: Standing, signal: AbortSignal) {
    this.#deps = deps;
    this.#thread = thread;
    this.#signal = signal;
    this.#after = standing.after;
    this.#run = standing.run;
    this.#isStartTold = standing.isStartTold;
    this.#ended = seen(endOf(deps, standing.run, signal));
  }

  /** Waits for an event; undefined when the run's end comes first. */
  async orEnd<T>(next: Promise<T>): Promise<T | undefined> {
    const found = await (this.#isEnding ? next : Promise.race([next, this.#ended]));
    if (found === undefined) this.#isEnding = true;
    return found;
  }

  /** The end of the run, when it has ended and all that it has logged has been taken; else null. */
  async end(): Promise<ThreadPart | null> {
    if (!this.#isEnding || this.#run === undefined) return null;
    const { threadId, scope } = this.#thread;
    const { through } = await this.#deps.log.readThread(threadId, scope, this.#after);
    if (through !== this.#after) return null;
    const part = done(this.#run, this.#after);
    this.#turnTo(undefined);
    return part;
  }

  *take(event: ThreadEvent): Generator<ThreadPart> {
    const run = event.run_id === NO_RUN ? undefined : event.run_id;
    if (run !== this.#run) {
      if (this.#run !== undefined) yield done(this.#run, this.#after);
      if (run !== undefined && !this.#isStartTold) yield start(run, this.#after);
      this.#turnTo(run);
    }
    this.#after = event.seq;
    yield* shown(event);
  }

  #turnTo(run: string | undefined): void {
    this.#run = run;
    this.#isStartTold = false;
    this.#isEnding = false;
    this.#ended = seen(endOf(this.#deps, run, this.#signal));
  }
}

/** The run that a reader at this position is in the middle of. */
async function runAt(
  { log, runs }: ThreadStreamDeps,
  { threadId, scope }: ReadThread,
  after: number,
  from: ThreadPosition | undefined,
): Promise<string | undefined> {
  if (after === 0 || from?.told !== undefined) return undefined;
  const { events } = await log.readThread(threadId, scope, after - 1);
  const last = events.find(({ seq }) => seq === after);
  if (last === undefined || last.run_id === NO_RUN) return undefined;
  if (from !== undefined) return last.run_id;
  const run = await runs.get(last.run_id, EVERYTHING); // of one that has ended by now, nobody needs to hear again
  return run === null || isFinal(run.status) ? undefined : last.run_id;
}

/** Its failure may come while nobody waits for it, and is heard by who waits next. */
function seen<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

/** How often a run whose executor has said that it is over is asked for, until its end is stored. */
const STORED_MS = 25;

/** Resolves when the run's end is stored, and with it all of its events; never without a run. */
async function endOf(
  { engine, runs, clock }: ThreadStreamDeps,
  runId: string | undefined,
  signal: AbortSignal,
): Promise<undefined> {
  if (runId === undefined) return new Promise(() => undefined);
  for (;;) {
    const run = await runs.get(runId, EVERYTHING);
    if (run === null || isFinal(run.status) || signal.aborted) return undefined;
    for await (const _ of engine.follow(run, Number.MAX_SAFE_INTEGER, signal)) continue;
    await clock.sleep(STORED_MS, signal);
  }
}

function start(run_id: string, after: number): ThreadPart {
  const text = JSON.stringify({ run_id, attempt: 1 });
  return { mode: "lifecycle", event: "metadata", text, id: `${after}-start` };
}

function done(run_id: string, after: number): ThreadPart {
  const text = JSON.stringify({ status: "run_done", run_id });
  return { mode: "lifecycle", event: "metadata", text, id: `${after}-done` };
}

function* shown(event: ThreadEvent): Generator<ThreadPart> {
  const known = inFirstVersion(event);
  if (known === null) return;
  const isEdit = event.run_id === NO_RUN && event.event === STATE_UPDATE;
  const mode = isEdit ? "state_update" : "run_modes";
  yield { mode, event: known.event, text: known.data, id: String(event.seq) };
}

/** A run's beginning and end are among what it streams. */
export function isPartWanted({ mode }: ThreadPart, modes: readonly ThreadStreamMode[]): boolean {
  return modes.includes(mode) || (mode === "lifecycle" && modes.includes("run_modes"));
}
