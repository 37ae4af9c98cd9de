/** Reads what a run streams, wherever it executes: from memory when that is here, else from the log. */

import type { Clock } from "../clock.ts";
import type { EventLog } from "../core/ports.ts";
import type { RunEvent, RunRef } from "../core/model.ts";
import { inFirstVersion } from "../core/protocol.ts";
import type { Journal } from "./journal.ts";

export interface FollowDeps {
  readonly events: EventLog;
  readonly clock: Clock;
  /** The runs that this process executes. */
  readonly journals: ReadonlyMap<string, Journal>;
}

/**
 * How long a follower waits before it asks the log again: from the first figure, doubling, to the second. All of a
 * process ask at the same moments, multiples of these, so that the log answers them together.
 */
const POLL_MS = [25, 500] as const;

/**
 * The run's events after `after`, in order, each once, until the run has ended or the signal aborts. It may be handed
 * from executor to executor meanwhile.
 */
export async function* follow(
  deps: FollowDeps,
  run: RunRef,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<RunEvent> {
  let seq = after;
  let pauseMs: number = POLL_MS[0];
  let journal: Journal | undefined;
  while (!signal.aborted) {
    journal = journalOf(deps, run) ?? (journal?.isFinal === true ? journal : undefined);
    const recent = journal?.since(seq) ?? null;
    const { events, ended } =
      journal === undefined || recent === null
        ? await deps.events.read(run, seq)
        : { events: recent, ended: journal.isFinal };
    yield* events.flatMap((event) => inFirstVersion(event) ?? []);
    if (ended) return;
    const newest = events.at(-1);
    if (newest !== undefined) {
      seq = newest.seq;
      pauseMs = POLL_MS[0];
    } else if (journal !== undefined && recent !== null) {
      await changed(journal, seq, signal);
    } else {
      await deps.clock.sleep(pauseMs - (deps.clock.now().getTime() % pauseMs), signal);
      pauseMs = Math.min(pauseMs * 2, POLL_MS[1]);
    }
  }
}

/** Of the run on this thread: who may read the one may not read another by its id. */
function journalOf({ journals }: FollowDeps, { run_id, thread_id }: RunRef): Journal | undefined {
  const journal = journals.get(run_id);
  return journal?.run.thread_id === thread_id ? journal : undefined;
}

/** Resolves when the journal has more than `seq`, or is closed. */
export async function changed(journal: Journal, seq: number, signal: AbortSignal): Promise<void> {
  if (journal.isClosed) return;
  await new Promise<void>((resolve) => {
    const subscription = journal.onChange(() => {
      if (!journal.isClosed && journal.since(seq)?.length === 0) return;
      done();
    });
    const done = (): void => {
      subscription[Symbol.dispose]();
      signal.removeEventListener("abort", done);
      resolve();
    };
    signal.addEventListener("abort", done);
  });
}
