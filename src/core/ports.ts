/** What core needs of the outside for runs, in its own words: their record, their events, the queue; and what all need. */

import type { Scope } from "./auth.ts";
import type { WakeUp } from "./wake-ups.ts";
import type {
  CancelAction,
  CancelReason,
  JsonObject,
  MultitaskStrategy,
  Run,
  RunRef,
  RunStatus,
  ThreadStatus,
  RunEvent,
  ThreadTtl,
} from "./model.ts";
import type { Idempotency } from "./idempotency.ts";
import type { RunKwargs } from "./run-kwargs.ts";

/** Proof of the right to execute a run, good until it lapses. Everything that is written about the run carries it. */
export interface Lease {
  readonly run_id: string;
  readonly lease_id: string;
}

/** How long a lease is good for. Of both, only the difference counts: instances' clocks may be off, the database's decides. */
export interface LeaseTerm {
  readonly now: Date;
  readonly until: Date;
}

/** A run that is asked for. */
export interface NewRun {
  readonly run_id: string;
  readonly thread_id: string;
  /** Whom a thread belongs to that is made for it. */
  readonly owner: string | null;
  /** Which threads it may be on, if the thread is there already. */
  readonly scope: Scope;
  readonly assistant_id: string;
  readonly graph_id: string;
  /** As it was asked for; the thread's and the assistant's, which it goes over, are added on admission. */
  readonly metadata: JsonObject;
  readonly assistant_metadata?: JsonObject | undefined;
  readonly kwargs: RunKwargs;
  readonly multitask_strategy: MultitaskStrategy;
  readonly created_at: Date;
  readonly due_at: Date;
  /** Makes a thread for this run alone, which is gone when the run has ended. */
  readonly is_temporary: boolean;
  /** Whether a thread that does not exist is made. */
  readonly creates_thread: boolean;
  /** Of a thread that is made and stays. */
  readonly thread_ttl?: ThreadTtl | undefined;
  /** Of a thread that is made. */
  readonly thread_metadata?: JsonObject | undefined;
  /** The version that the run was made from, if it was; it is not admitted when another one is in force. */
  readonly assistant_version?: number | undefined;
  /** Of the request that asks for it. */
  readonly idempotency?: Idempotency | undefined;
  /** True when it was made by an earlier request. */
  readonly is_repeat?: boolean;
  /** Whose active runs it is one of, and how many there may be. */
  readonly counted?: { readonly identity: string; readonly max: number };
  /** The command that asks for it: no two active runs of a thread have the same. */
  readonly command_key?: string | undefined;
}

/** A run that was stored. */
export interface Admission {
  /** Null when the run waits. */
  readonly claim: ClaimedRun | null;
  /** The assistant's, over it the thread's, over both the run's own. */
  readonly metadata: JsonObject;
}

/** A run in the hands of its executor. */
export interface ClaimedRun extends Lease {
  readonly thread_id: string;
  readonly graph_id: string;
  readonly assistant_id: string;
  readonly metadata: JsonObject;
  readonly kwargs: RunKwargs;
  /** This one included; 1 when nobody has executed it before. */
  readonly claims: number;
  /** Claims since the run last got anywhere, which a new checkpoint shows. */
  readonly attempt: number;
  /** The thread's newest event so far. */
  readonly last_seq: number;
  /** Whether nothing has been saved for the thread yet. */
  readonly is_fresh: boolean;
  readonly is_temporary: boolean;
  /** When it was first claimed. */
  readonly started_at: Date;
  /** Since it was due, or was put back by the executor before. */
  readonly waited_s: number;
  /** Somebody asked it to stop before this claim, or its client has left. */
  readonly cancel_action: CancelAction | null;
}

/** How a run ended, and what its thread is left with. */
export interface RunEnd {
  readonly status: "success" | "interrupted" | "error" | "timeout";
  readonly thread_status: ThreadStatus;
  readonly error?: string;
  /** The output: the state's values. */
  readonly values?: unknown;
  /** Of a run without an output, what it has saved of the state; undefined leaves the thread's values as they are. */
  readonly saved_values?: unknown;
  readonly interrupts?: unknown;
}

/** What became of a statement by the holder of a lease. */
export interface Ended {
  /** False when the lease was no longer ours, and nothing was written. */
  readonly held: boolean;
  /** The run of the thread that waits next. */
  readonly next?: string;
}

/** A run with what its record keeps besides. */
export interface RunRecord extends Run {
  readonly graph_id: string;
  /** Claims since the run last got anywhere; 0 when it has not begun. */
  readonly attempt: number;
  readonly error: string | null;
  /** The state's values at its end; null before that, and for runs that keep none. */
  readonly output: unknown;
}

export interface RunPage {
  readonly limit: number;
  readonly offset: number;
  readonly status?: RunStatus | undefined;
}

/** Active runs that fit all that is said. */
export interface RunSelection {
  readonly scope: Scope;
  readonly runIds?: readonly string[] | undefined;
  readonly threadId?: string | undefined;
  readonly status?: "pending" | "running" | undefined;
  /** Those that came to the thread before this run. */
  readonly before?: string | undefined;
}

/**
 * The durable record of runs: what the API asks of it. Every promise holds across processes. Which runs a caller reaches
 * is decided by the thread that they are on.
 */
export interface RunStore {
  /**
   * Stores a run; with a lease, and if nothing of the thread is before it, already claimed. A thread out of its
   * scope is `not_found`; so is, where callers are told apart, one that has checkpoints but no record.
   * @throws AppError `thread_busy`, `not_found`, `assistant_changed`, `rate_limited`; RepeatedRequest when it has been asked for before
   */
  readonly admit: (
    run: NewRun,
    now: Date,
    claim?: { readonly lease_id: string; readonly until: Date },
  ) => Promise<Admission>;
  readonly get: (runId: string, scope: Scope) => Promise<RunRecord | null>;
  /** The thread's runs, the newest first. */
  readonly list: (threadId: string, scope: Scope, page: RunPage) => Promise<readonly RunRecord[]>;
  /** The thread's runs, on all pages. */
  readonly count: (threadId: string, scope: Scope, status: RunStatus | undefined) => Promise<number>;
  /**
   * Asks runs to stop; those that have not begun end at once. Those that have ended stay as they are.
   * @returns whom to wake: runs that come after those which ended or that an executor must still stop, and webhooks
   */
  readonly cancel: (
    which: RunSelection,
    action: CancelAction,
    now: Date,
    reason?: CancelReason,
  ) => Promise<readonly WakeUp[]>;
  /** Deletes a run that is over, with its events. False when it is active. */
  readonly remove: (run: RunRef, scope: Scope) => Promise<boolean>;
}

/** The durable record of runs: what executors ask of it. */
export interface ClaimStore {
  /** Null when the run may not start: it has ended, executes elsewhere, is not due, or another is before it. */
  readonly claim: (lease: Lease, term: LeaseTerm) => Promise<ClaimedRun | null>;
  /** One statement: appends events, extends the lease, and tells whether it holds and whether a stop was asked for. */
  readonly beat: (
    run: ClaimedRun,
    term: LeaseTerm,
    events: readonly RunEvent[],
  ) => Promise<{ readonly held: boolean; readonly cancel: CancelAction | null }>;
  readonly finish: (run: ClaimedRun, end: RunEnd, now: Date, events: readonly RunEvent[]) => Promise<Ended>;
  /** Stops it as if it had never been: the run and its checkpoints are deleted. */
  readonly rollback: (run: ClaimedRun, now: Date, events: readonly RunEvent[]) => Promise<Ended>;
  /** Puts the run back for another executor; `gotAnywhere` when it has come further here, and may be tried afresh. */
  readonly release: (
    run: ClaimedRun,
    now: Date,
    rest: { readonly events: readonly RunEvent[]; readonly gotAnywhere: boolean },
  ) => Promise<{ readonly held: boolean }>;
  /** The digests of the newest values and updates in the run's log, MD5 of the event, a space and its data. */
  readonly logged: (run: ClaimedRun) => Promise<readonly string[]>;
  /**
   * Puts back the runs whose executor vanished, claims those that have had `maxAttempts`, for their end, and finds those
   * that could have started before `forgottenSince`, so that their message must be lost, and those that wait for an
   * executor and whose client is not back in time. One query when nothing is due.
   */
  readonly recover: (
    lease_id: string,
    term: LeaseTerm,
    rules: { readonly maxAttempts: number; readonly forgottenSince: Date },
  ) => Promise<Recovered>;
}

export interface Recovered {
  readonly waiting: readonly string[];
  readonly exhausted: readonly ClaimedRun[];
  readonly forgotten: readonly string[];
  readonly abandoned: readonly string[];
}

/** The log of what runs stream. */
export interface EventLog {
  /** The run's events after `seq`, oldest first; `ended` when there will be no more. */
  readonly read: (
    run: RunRef,
    after: number,
  ) => Promise<{ readonly events: readonly RunEvent[]; readonly ended: boolean }>;
}
