/** The durable record of threads, and of what is asked about them. */

import type { Scope } from "./auth.ts";
import type { Checkpointer } from "./execution.ts";
import type { Idempotency } from "./idempotency.ts";
import type { JsonObject, Thread, ThreadStatus, ThreadTtl } from "./model.ts";

/** A thread to store. */
export interface StoredThread {
  readonly thread_id: string;
  readonly metadata: JsonObject;
  /** Whom it belongs to; null where callers are not told apart. */
  readonly owner: string | null;
  readonly ttl?: ThreadTtl | undefined;
  readonly idempotency?: Idempotency | undefined;
}

/** Which threads; a filter that is absent lets all pass. */
export interface ThreadFilter {
  /** Contained in the thread's. */
  readonly metadata?: JsonObject | undefined;
  /** Contained in the newest state's; a thread without a state does not match. */
  readonly values?: JsonObject | undefined;
  readonly status?: ThreadStatus | undefined;
  readonly ids?: readonly string[] | undefined;
}

export type ThreadField = keyof Thread;

/** A part of a thread: a field, and the way from there, by the names of members and the places of items. */
export interface ThreadPath {
  readonly field: "values" | "metadata" | "config" | "interrupts";
  readonly path: readonly string[];
}

/** A thread as a search finds it. */
export interface FoundThread extends Partial<Thread> {
  readonly extracted?: JsonObject;
}

export interface ThreadChanges {
  readonly metadata: JsonObject;
  /** Undefined leaves it as it is. */
  readonly ttl?: ThreadTtl | undefined;
}

/** When a thread will be gone, or its history. */
export interface ThreadExpiry extends ThreadTtl {
  readonly expires_at: Date;
}

export interface ThreadPage {
  readonly limit: number;
  readonly offset: number;
  readonly sort_by: "thread_id" | "status" | "created_at" | "updated_at" | "state_updated_at";
  readonly sort_order: "asc" | "desc";
  readonly select: readonly ThreadField[];
  /** What to show of each thread under other names. */
  readonly extract?: Readonly<Record<string, ThreadPath>> | undefined;
}

/** The durable record of threads. Those that were made for a single run are never found by a search. */
export interface ThreadStore {
  /**
   * Null when there is one of this id, within reach or not, or when something is left of one; what has no thread is
   * taken over by those who reach everything.
   * @throws RepeatedRequest
   */
  readonly create: (thread: StoredThread, scope: Scope, now: Date) => Promise<Thread | null>;
  readonly get: (thread_id: string, scope: Scope) => Promise<Thread | null>;
  /** The graph that the thread last ran, if it has; null when there is no such thread. */
  readonly boundTo: (thread_id: string, scope: Scope) => Promise<{ readonly graph_id: string | null } | null>;
  /** Null for a thread that stays, or that there is not. */
  readonly expiry: (thread_id: string, scope: Scope) => Promise<ThreadExpiry | null>;
  /** Lays the metadata over what is there; null when there is no such thread. */
  readonly update: (
    thread_id: string,
    scope: Scope,
    changes: ThreadChanges,
    now: Date,
  ) => Promise<Thread | null>;
  /** Also their runs, events and checkpoints; whoever executes one of the runs finds its lease void. @returns which there were */
  readonly remove: (thread_ids: readonly string[], scope: Scope) => Promise<readonly string[]>;
  readonly search: (filter: ThreadFilter, scope: Scope, page: ThreadPage) => Promise<readonly FoundThread[]>;
  /** Counts no further than `most`. */
  readonly count: (filter: ThreadFilter, scope: Scope, most?: number) => Promise<number>;
}

export interface ThreadCopy extends Omit<StoredThread, "idempotency"> {
  /** What it does not take over of the metadata. */
  readonly without: readonly string[];
}

/** What a thread is left with when its state was edited. */
export interface EditedState {
  readonly values: unknown;
  /** By the task that waits. */
  readonly interrupts: JsonObject;
  /** What readers of the thread's stream are told, as JSON. */
  readonly told: string;
}

/** Saves an edit through the checkpointer; repeated from the start when the database asks for that. */
export type EditState = (checkpointer: Checkpointer, thread: Thread) => Promise<EditedState>;

export interface Expired {
  readonly removed: readonly Pick<Thread, "thread_id" | "metadata">[];
  /** How many. */
  readonly pruned: number;
}

/** Changes to threads that concern their checkpoints. Each happens as a whole or not at all. */
export interface ThreadStateStore {
  /** Edits a thread while no run of it is active, and keeps runs from starting meanwhile. @throws AppError `not_found`, `thread_busy` */
  readonly edit: (thread_id: string, scope: Scope, now: Date, work: EditState) => Promise<void>;
  /** Makes a thread with a state, as `ThreadStore.create` makes one. @throws RepeatedRequest */
  readonly createWith: (
    thread: StoredThread,
    scope: Scope,
    now: Date,
    work: EditState,
  ) => Promise<Thread | null>;
  /** A new thread with all that has been saved of another, and this metadata over that one's; null when that does not exist. */
  readonly copy: (from: string, scope: Scope, to: ThreadCopy, now: Date) => Promise<Thread | null>;
  /** Keeps of each thread without an active run only its newest checkpoint, and those of its subgraphs. @returns how many there were */
  readonly prune: (thread_ids: readonly string[], scope: Scope) => Promise<number>;
  /** Deletes threads whose time has come, or prunes them. */
  readonly expire: (now: Date, limit: number) => Promise<Expired>;
}
