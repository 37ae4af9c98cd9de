/** One execution of a graph: what it is given, what comes of it, and what core needs of the engine for it. */

import type { AppError } from "../errors.ts";
import type { CompiledGraph } from "./graphs.ts";
import type { GraphConfig } from "./config.ts";
import type { JsonObject, RunEvent, RunRef } from "./model.ts";
import type { ClaimedRun } from "./ports.ts";
import type { Command, RunSettings, StreamMode } from "./run-kwargs.ts";

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
  /** Members of the config's `configurable` that no event shows. */
  readonly hidden?: readonly string[];
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
  | { readonly kind: "elsewhere"; readonly isHandedOver?: boolean };

/** Executes and follows runs. */
export interface Engine {
  /** Begins to load what executing takes, while the database decides whether the run may start. */
  readonly prepare: () => void;
  /** Executes a claimed run to its end, or hands it over in time. Never rejects: what happens is recorded. */
  readonly execute: (run: ClaimedRun, invocation: ExecutionLimits) => Promise<Executed>;
  /** The run's events after `after`, in order, each once, wherever it executes, until it has ended. */
  readonly follow: (run: RunRef, after: number, signal: AbortSignal) => AsyncIterable<RunEvent>;
}

export interface ExecutionLimits {
  /** Stops the run, as cancelled: nobody is left who wants it. */
  readonly signal?: AbortSignal;
  /** When the run must be in other hands. */
  readonly deadline?: Date;
  /** Aborted when another invocation had better go on, if that costs nothing but the way there. */
  readonly handOver?: AbortSignal;
  /** From the graph's context factory. */
  readonly context?: unknown;
}

/** What a run has streamed that may not be in its log yet. */
export interface Unlogged {
  /** Until it is disposed of, what was streamed is logged with the state that is being saved, and not before it. */
  readonly hold: () => Disposable;
  readonly pending: () => readonly RunEvent[];
  /** These are in the log now. */
  readonly logged: (events: readonly RunEvent[]) => void;
}

/** Makes checkpointers for graphs that were compiled without one. */
export interface Checkpointers {
  /**
   * Writes nothing once the lease is lost; `metadata` goes with each checkpoint. No write rejects: the first that fails
   * is told to `onFailure`, and none is made after it. What the run has streamed goes with its state, in one statement:
   * who goes on from that state repeats nothing of it, so the log must not be behind.
   */
  readonly forRun: (
    run: ClaimedRun,
    metadata: JsonObject,
    onFailure: (reason: unknown) => void,
    unlogged: Unlogged,
  ) => Promise<Checkpointer>;
  /** For reading a thread's state. */
  readonly forThread: () => Promise<Checkpointer>;
}

/** The part of LangGraph's checkpointer that we ask ourselves; graphs may bring one of their own. */
export interface Checkpointer {
  /** Takes back all that the run has saved: an input that the graph cannot take would break each later read of the thread. */
  discard?(): Promise<void>;
  /** Resolves when what was put is in the database, or has failed. */
  saved?(): Promise<void>;
  /** As `saved`; what is put later is not kept: a graph that was stopped may still be about to save something. */
  close?(): Promise<void>;
  getTuple(config: object): Promise<{ readonly metadata?: object | undefined } | undefined>;
}
