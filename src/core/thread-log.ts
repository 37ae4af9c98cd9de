/** The log of what a thread's runs have streamed, read over all of them. */

import type { Scope } from "./auth.ts";
import type { RunEvent, RunRef } from "./model.ts";

/** Of events that no run has logged: edits of the thread's state. */
export const NO_RUN = "00000000-0000-0000-0000-000000000000";
export const STATE_UPDATE = "state_update";

/** An event of one of a thread's runs. */
export interface ThreadEvent extends RunEvent {
  readonly run_id: string;
}

/** Which events of a log are wanted, by the first part of their names, as `v2|values` has it: all, if absent. */
export interface EventSelection {
  /** What the names of all start with. */
  readonly prefix: string;
  /** What may stand behind it, up to the next `|`; `custom:*` stands for all that begin so. */
  readonly kinds: readonly string[];
}

export interface ThreadLogPage {
  readonly events: readonly ThreadEvent[];
  /** The newest event that was looked at, wanted or not; what was asked for when there is none. */
  readonly through: number;
  /** False when there is more to read already. */
  readonly isLast: boolean;
}

export interface ThreadLog {
  /** The thread's events after `seq`, oldest first, over all its runs. A thread that is not there, or out of reach, has none. */
  readonly readThread: (
    threadId: string,
    scope: Scope,
    after: number,
    selection?: EventSelection,
  ) => Promise<ThreadLogPage>;
  /** Where the run streamed that it had come to this checkpoint; null when it did not. */
  readonly checkpointSeq: (run: RunRef, checkpointId: string) => Promise<number | null>;
  /** The number of the newest event; 0 for none. */
  readonly newestSeq: (threadId: string, scope: Scope) => Promise<number>;
  /** Whether there is such a run, and it is within reach. */
  readonly reaches: (run: RunRef, scope: Scope) => Promise<boolean>;
}

/** Whether an event is among those that are wanted. */
export function isSelected(event: string, selection: EventSelection | undefined): boolean {
  if (selection === undefined) return true;
  if (!event.startsWith(selection.prefix)) return false;
  const [kind = ""] = event.slice(selection.prefix.length).split("|", 1);
  return selection.kinds.some((wanted) =>
    wanted.endsWith("*") ? kind.startsWith(wanted.slice(0, -1)) : kind === wanted,
  );
}
