/** What core needs of the outside, in its own words; engine, postgres and the hosts implement it. */

import type { CompiledGraph, GraphConfig } from "./graphs.ts";
import type { AppError } from "../errors.ts";
import type {
  CancelAction,
  JsonObject,
  MultitaskStrategy,
  Run,
  RunStatus,
  Thread,
  ThreadStatus,
} from "./model.ts";

/** Proof of the right to execute a run, good until it lapses. Everything that is written about the run carries it. */
export interface Lease {
  readonly run_id: string;
  readonly lease_id: string;
}

export interface LeaseTerm {
  readonly now: Date;
  readonly until: Date;
}

/** How a run is done, besides its input and config. */
export interface RunSettings {
  /** For the graph's runtime context; what the graph's context factory makes goes over it. */
  readonly context?: unknown;
  /** Stops before these nodes, `*` for all. */
  readonly interrupt_before?: "*" | readonly string[];
  readonly interrupt_after?: "*" | readonly string[];
  /** Streams what subgraphs do, too. */
  readonly subgraphs?: boolean;
  /** When checkpoints are saved; `async` if absent. */
  readonly durability?: Durability;
}

export type Durability = "async" | "sync" | "exit";

/** What a run does, as its record keeps it. */
export interface RunKwargs extends RunSettings {
  readonly input?: unknown;
  readonly command?: Command;
  readonly config: GraphConfig;
  readonly stream_mode: readonly StreamMode[];
  /** Keeps the output with the run, for those who ask for it later; the thread's values may have moved on by then. */
  readonly keeps_output?: boolean;
}

/** A run that is asked for. */
export interface NewRun {
  readonly run_id: string;
  readonly thread_id: string;
  readonly assistant_id: string;
  readonly graph_id: string;
  readonly metadata: JsonObject;
  readonly kwargs: RunKwargs;
  readonly multitask_strategy: MultitaskStrategy;
  readonly due_at: Date;
  /** Makes a thread for this run alone, which is gone when the run has ended. */
  readonly is_temporary: boolean;
  /** Whether a thread that does not exist is made. */
  readonly creates_thread: boolean;
  /** The version that the run was made from, if it was; it is not admitted when another one is in force. */
  readonly assistant_version?: number | undefined;
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
  /** Claims since the run last got anywhere. */
  readonly attempt: number;
  /** The thread's newest event so far. */
  readonly last_seq: number;
  readonly is_temporary: boolean;
}

/** How a run ended, and what its thread is left with. */
export interface RunEnd {
  readonly status: "success" | "interrupted" | "error" | "timeout";
  readonly thread_status: ThreadStatus;
  readonly error?: string;
  /** The state's values; undefined leaves the thread's as they are. */
  readonly values?: unknown;
  readonly interrupts?: unknown;
}

/** An event that a run streams. */
export interface RunEvent {
  /** Counts up within the thread, over all its runs. */
  readonly seq: number;
  /** As on the wire: `values`, `updates|node:id`, … */
  readonly event: string;
  /** JSON. */
  readonly data: string;
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
  readonly runIds?: readonly string[] | undefined;
  readonly threadId?: string | undefined;
  readonly status?: "pending" | "running" | undefined;
  /** Those that came to the thread before this run. */
  readonly before?: string | undefined;
}

export interface CancelledRun {
  readonly run_id: string;
  readonly thread_id: string;
  /** True when it had not begun, and will not. */
  readonly ended: boolean;
  /** The run of the thread that waits next, if that one ended. */
  readonly next: string | null;
}

/** The durable record of runs: what the API asks of it. Every promise holds across processes. */
export interface RunStore {
  /**
   * Stores a run; with a lease, and if nothing of the thread is before it, already claimed.
   * @returns the claim, or null when the run waits
   * @throws AppError `thread_busy`, `not_found`, `assistant_changed`
   */
  readonly admit: (
    run: NewRun,
    now: Date,
    claim?: { readonly lease_id: string; readonly until: Date },
  ) => Promise<ClaimedRun | null>;
  readonly get: (runId: string) => Promise<RunRecord | null>;
  /** The thread's runs, the newest first. */
  readonly list: (threadId: string, page: RunPage) => Promise<readonly RunRecord[]>;
  /** Asks runs to stop; those that have not begun end at once. Those that have ended stay as they are. */
  readonly cancel: (which: RunSelection, action: CancelAction, now: Date) => Promise<readonly CancelledRun[]>;
  /** Deletes a run that is over, with its events. False when it is active. */
  readonly remove: (run: { readonly run_id: string; readonly thread_id: string }) => Promise<boolean>;
  /** The graph that the thread last ran; null for a thread that we have no record of. */
  readonly threadGraph: (threadId: string) => Promise<string | null>;
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
   * that could have started before `forgottenSince`, so that their message must be lost. One query when nothing is due.
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
}

/** The log of what runs stream. */
export interface EventLog {
  /** The run's events after `seq`, oldest first; `ended` when there will be no more. */
  readonly read: (
    run: { readonly thread_id: string; readonly run_id: string },
    after: number,
  ) => Promise<{ readonly events: readonly RunEvent[]; readonly ended: boolean }>;
}

/** Wakes a worker for a run. At least once, in no order: whether the run may start is not the message's to say. */
export interface RunQueue {
  readonly send: (runId: string, options?: { readonly notBefore?: Date }) => Promise<void>;
}

/** What a run can stream. @see https://docs.langchain.com/langsmith/streaming */
export const STREAM_MODES = [
  "values",
  "updates",
  "messages",
  "messages-tuple",
  "custom",
  "debug",
  "tasks",
  "checkpoints",
  "events",
] as const;
export type StreamMode = (typeof STREAM_MODES)[number];

/** Answers an interrupt, edits the state, or goes to a node. @see https://langchain-ai.github.io/langgraphjs/reference/classes/langgraph.Command.html */
export interface Command {
  readonly resume?: unknown;
  readonly update?: JsonObject | readonly (readonly [key: string, value: unknown])[] | undefined;
  readonly goto?: Destination | readonly Destination[] | undefined;
}

/** A node, with an input of its own or the state. */
export type Destination = string | { readonly node: string; readonly input: unknown };

/** What a graph starts with: an input, a command, or nothing, to go on from its newest checkpoint. */
export type GraphInput =
  { readonly input: unknown } | { readonly command: Command } | { readonly resume: true };

/** One call of a graph. */
export interface Execution {
  readonly graph: CompiledGraph;
  readonly input: GraphInput;
  readonly config: GraphConfig;
  readonly settings: RunSettings;
  readonly streamModes: readonly StreamMode[];
  /** Stops the graph at once. */
  readonly signal: AbortSignal;
  /** Stops it at the next superstep boundary, to go on elsewhere. */
  readonly drain: AbortSignal;
}

export interface Outcome {
  readonly status: "success" | "interrupted" | "drained";
  /** The full output state, as plain JSON values; with `__interrupt__` when interrupted. */
  readonly output: unknown;
}

/** What became of an execution. */
export type Executed =
  | { readonly kind: "ended"; readonly outcome: Outcome }
  | { readonly kind: "failed"; readonly error: AppError }
  /** Stopped by a cancellation. */
  | { readonly kind: "cancelled" }
  /** The run goes on in another invocation, or was taken over by one. */
  | { readonly kind: "elsewhere" };

/** Executes and follows runs. */
export interface Engine {
  /** Executes a claimed run to its end, or hands it over in time. Never rejects: what happens is recorded. */
  readonly execute: (run: ClaimedRun, invocation: ExecutionLimits) => Promise<Executed>;
  /** The run's events after `after`, in order, each once, wherever it executes, until it has ended. */
  readonly follow: (
    run: { readonly thread_id: string; readonly run_id: string },
    after: number,
    signal: AbortSignal,
  ) => AsyncIterable<RunEvent>;
}

export interface ExecutionLimits {
  /** Stops the run, as cancelled: nobody is left who wants it. */
  readonly signal?: AbortSignal;
  /** When the run must be in other hands. */
  readonly deadline?: Date;
  /** From the graph's context factory. */
  readonly context?: unknown;
}

/** Makes checkpointers for graphs that were compiled without one. */
export interface Checkpointers {
  /** Writes nothing once the lease is lost; `metadata` goes with each checkpoint. */
  readonly forRun: (lease: Lease, metadata: JsonObject) => Promise<Checkpointer>;
  /** For reading a thread's state. */
  readonly forThread: () => Promise<Checkpointer>;
}

/** The part of LangGraph's checkpointer that we ask ourselves; graphs may bring one of their own. */
export interface Checkpointer {
  /** Takes back all that the run has saved: an input that the graph cannot take would break each later read of the thread. */
  discard?(): Promise<void>;
  getTuple(config: object): Promise<{ readonly metadata?: object | undefined } | undefined>;
}

/** Counts requests across all instances. */
export interface RateLimiter {
  /** @throws AppError `rate_limited`, saying when to come back. */
  readonly take: (identity: string) => Promise<void>;
}

/** Takes a Powertools, pino or console logger alike. No secrets, no message contents. */
export interface Logger {
  readonly info: (fields: object, message: string) => void;
  readonly warn: (fields: object, message: string) => void;
  readonly error: (fields: object, message: string) => void;
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

export interface ThreadPage {
  readonly limit: number;
  readonly offset: number;
  readonly sort_by: "thread_id" | "status" | "created_at" | "updated_at" | "state_updated_at";
  readonly sort_order: "asc" | "desc";
  readonly select: readonly ThreadField[];
}

/** The durable record of threads. Those that were made for a single run are never found by a search. */
export interface ThreadStore {
  /** Null when there is one of this id. */
  readonly create: (thread_id: string, metadata: JsonObject, now: Date) => Promise<Thread | null>;
  readonly get: (thread_id: string) => Promise<Thread | null>;
  /** Lays the metadata over what is there; null when there is no such thread. */
  readonly update: (thread_id: string, metadata: JsonObject, now: Date) => Promise<Thread | null>;
  /** Also their runs, events and checkpoints; whoever executes one of the runs finds its lease void. @returns how many there were */
  readonly remove: (thread_ids: readonly string[]) => Promise<number>;
  readonly search: (filter: ThreadFilter, page: ThreadPage) => Promise<readonly Partial<Thread>[]>;
  readonly count: (filter: ThreadFilter) => Promise<number>;
}

/** What a thread is left with when its state was edited. */
export interface EditedState {
  readonly values: unknown;
  /** By the task that waits. */
  readonly interrupts: JsonObject;
}

/** Saves an edit through the checkpointer; repeated from the start when the database asks for that. */
export type EditState = (checkpointer: Checkpointer, thread: Thread) => Promise<EditedState>;

/** Changes to threads that concern their checkpoints. Each happens as a whole or not at all. */
export interface ThreadStateStore {
  /** Edits a thread while no run of it is active, and keeps runs from starting meanwhile. @throws AppError `not_found`, `thread_busy` */
  readonly edit: (thread_id: string, now: Date, work: EditState) => Promise<void>;
  /** Makes a thread with a state. Null when there is one of this id. */
  readonly createWith: (
    thread: { readonly thread_id: string; readonly metadata: JsonObject },
    now: Date,
    work: EditState,
  ) => Promise<Thread | null>;
  /** A new thread with all that has been saved of another; null when that does not exist. */
  readonly copy: (from: string, to: string, now: Date) => Promise<Thread | null>;
}
