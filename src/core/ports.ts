/** What core needs of the outside, in its own words; engine and postgres implement it. */

import type { CompiledGraph, GraphConfig } from "./graphs.ts";

/** Proof of the right to execute a run, good until it lapses. Everything that is written about the run carries it. */
export interface Lease {
  readonly run_id: string;
  readonly lease_id: string;
}

export interface NewRun {
  readonly run_id: string;
  readonly thread_id: string;
  /** The graph's name. */
  readonly assistant_id: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** How a run ended. */
export type RunEnd = { readonly status: "success" | "interrupted" } | { readonly status: "error"; readonly error: string };

/** The durable record of runs and threads. Every promise holds across processes. */
export interface RunStore {
  /**
   * Stores a run that the caller executes itself, already claimed; creates its thread if need be.
   * @throws AppError `thread_busy` when another run of the thread holds a lease.
   */
  readonly begin: (run: NewRun, lease: { readonly lease_id: string; readonly now: Date; readonly until: Date }) => Promise<void>;
  /** False when the lease is no longer ours: the holder must stop and write nothing more. */
  readonly renew: (lease: Lease, times: { readonly now: Date; readonly until: Date }) => Promise<boolean>;
  /** False when the lease was no longer ours, and nothing was written. */
  readonly finish: (lease: Lease, end: RunEnd, now: Date) => Promise<boolean>;
  /** Ends the runs whose holder vanished; returns how many. */
  readonly recover: (now: Date) => Promise<number>;
  /** The graph that the thread last ran; null for a thread that we have no record of. */
  readonly threadGraph: (threadId: string) => Promise<string | null>;
}

/** What a graph emits while it runs. */
export interface RunEvent {
  readonly mode: StreamMode;
  readonly data: unknown;
}

export const STREAM_MODES = ["values", "updates", "messages", "custom"] as const;
export type StreamMode = (typeof STREAM_MODES)[number];

/** Answers an interrupt, edits the state, or goes to a node. @see https://langchain-ai.github.io/langgraphjs/reference/classes/langgraph.Command.html */
export interface Command {
  readonly resume?: unknown;
  readonly update?: Readonly<Record<string, unknown>> | undefined;
  readonly goto?: string | readonly string[] | undefined;
}

/** What a run starts with: a fresh input, or a command to a graph that waits. */
export type RunInput = { readonly input: unknown } | { readonly command: Command };

/** One execution of a graph, as the engine wants it. */
export interface Execution {
  readonly graph: CompiledGraph;
  readonly input: RunInput;
  readonly config: GraphConfig;
  readonly context: unknown;
  readonly streamMode: StreamMode;
  readonly signal: AbortSignal;
}

export interface Outcome {
  readonly status: "success" | "interrupted";
  /** The full output state, as plain JSON values. */
  readonly output: unknown;
}

/** Runs graphs. */
export interface Engine {
  /**
   * Runs the graph once, handing each event of the stream mode to `emit` (awaited: that is the backpressure).
   * @throws AppError `graph_failed`, `invalid_request` for an input that the graph refuses, or the signal's reason.
   */
  readonly execute: (execution: Execution, emit: (event: RunEvent) => Promise<void>) => Promise<Outcome>;
  /** Keeps a lease renewed until disposed; the signal aborts when the lease is lost. */
  readonly holdLease: (lease: Lease) => HeldLease;
}

/** Makes checkpointers for graphs that were compiled without one. */
export interface Checkpointers {
  /** Writes nothing once the lease is lost. */
  readonly forRun: (lease: Lease) => Promise<unknown>;
  /** For reading a thread's state. */
  readonly forThread: () => Promise<unknown>;
  /** Forgets everything: for a run without a thread. */
  readonly temporary: () => Promise<unknown>;
}

export interface HeldLease extends Disposable {
  readonly signal: AbortSignal;
}

/** Takes a Powertools, pino or console logger alike. No secrets, no message contents. */
export interface Logger {
  readonly info: (fields: object, message: string) => void;
  readonly warn: (fields: object, message: string) => void;
  readonly error: (fields: object, message: string) => void;
}

/** Counts requests across all instances. */
export interface RateLimiter {
  /** @throws AppError `rate_limited`, saying when to come back. */
  readonly take: (identity: string) => Promise<void>;
}
