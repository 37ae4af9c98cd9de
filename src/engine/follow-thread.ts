/** Reads what a thread's runs stream, those that start later too: from memory what executes here, else from the log. */

import type { Clock } from "../clock.ts";
import { isEverything, type Scope } from "../core/auth.ts";
import { isSelected, type EventSelection, type ThreadEvent, type ThreadLog } from "../core/thread-log.ts";
import { changed } from "./follow.ts";
import type { Journal } from "./journal.ts";

/** The runs that this process executes, by their ids. */
export class Journals extends Map<string, Journal> {
  readonly #waiting = new Set<{ readonly threadId: string; readonly wake: () => void }>();

  override set(runId: string, journal: Journal): this {
    super.set(runId, journal);
    for (const { threadId, wake } of this.#waiting) if (threadId === journal.run.thread_id) wake();
    return this;
  }

  ofThread(threadId: string): Journal | undefined {
    return [...this.values()].find(({ run }) => run.thread_id === threadId);
  }

  /** Calls back when a run of the thread starts here, until disposed. */
  onStart(threadId: string, wake: () => void): Disposable {
    const waiting = { threadId, wake };
    this.#waiting.add(waiting);
    return { [Symbol.dispose]: () => void this.#waiting.delete(waiting) };
  }
}

export interface FollowThreadDeps {
  readonly log: ThreadLog;
  readonly clock: Clock;
  readonly journals: Journals;
}

/** How long it waits before it asks the log again: from the first figure, doubling, to the second. */
const POLL_MS = [25, 500] as const;

export interface FollowFrom {
  readonly after: number;
  readonly scope: Scope;
  readonly selection?: EventSelection;
}

/**
 * The thread's events after `after`, in order, each once, until the signal aborts. The thread need not exist yet; what
 * there is of it is told as long as the thread is within reach, whoever makes it or makes it anew meanwhile.
 */
export async function* followThread(
  deps: FollowThreadDeps,
  threadId: string,
  { after, scope, selection }: FollowFrom,
  signal: AbortSignal,
): AsyncGenerator<ThreadEvent> {
  const reached = reachable(deps.log, scope);
  let seq = after;
  let pauseMs: number = POLL_MS[0];
  while (!signal.aborted) {
    const journal = await reached(deps.journals.ofThread(threadId));
    const recent = journal?.since(seq) ?? null;
    if (journal !== undefined && recent !== null) {
      for (const event of recent) {
        seq = event.seq;
        if (isSelected(event.event, selection)) yield { ...event, run_id: journal.run.run_id };
      }
      pauseMs = POLL_MS[0];
      if (recent.length === 0) await changed(journal, seq, signal);
      continue;
    }
    const { events, through, isLast } = await deps.log.readThread(threadId, scope, seq, selection);
    yield* events;
    const isNew = through > seq;
    // All that is before the run's beginning has been read; what it emits may then come from memory.
    seq = isLast ? Math.max(through, journal?.run.last_seq ?? 0) : through;
    if (isNew) pauseMs = POLL_MS[0];
    if (isNew || !isLast) continue;
    await newRunOr(pauseMs, deps, threadId, signal);
    pauseMs = Math.min(pauseMs * 2, POLL_MS[1]);
  }
}

/** Passes on the journals of those runs that are within reach. Of each run it is asked once; its reader may go on to its end. */
function reachable(
  log: ThreadLog,
  scope: Scope,
): (journal: Journal | undefined) => Promise<Journal | undefined> {
  let asked: { readonly journal: Journal; readonly isReached: boolean } | undefined;
  return async (journal) => {
    if (journal === undefined || isEverything(scope)) return journal;
    if (asked?.journal !== journal) asked = { journal, isReached: await log.reaches(journal.run, scope) };
    return asked.isReached ? journal : undefined;
  };
}

/** Resolves when a run of the thread starts here, or after `ms`. */
async function newRunOr(
  ms: number,
  { clock, journals }: FollowThreadDeps,
  threadId: string,
  signal: AbortSignal,
): Promise<void> {
  const awake = new AbortController();
  const wake = (): void => awake.abort();
  using _started = journals.onStart(threadId, wake);
  signal.addEventListener("abort", wake); // not AbortSignal.any: a signal that lives long keeps track of each
  await clock.sleep(ms, awake.signal);
  signal.removeEventListener("abort", wake);
}
