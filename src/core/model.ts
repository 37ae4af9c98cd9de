/** The nouns of the domain, in the words of the wire: row, entity and JSON are one shape. */

import type { TraceContext } from "../telemetry.ts";

/** What a function key opens, in the order of the Azure Functions host: each level includes those before it. */
export type AuthLevel = "anonymous" | "function" | "admin";

/** Who has signed in, in the words of the LangGraph Platform; graphs find it as `configurable.langgraph_auth_user`. */
export interface User {
  /** Unique; what a user makes belongs to it. */
  readonly identity: string;
  readonly display_name: string;
  readonly is_authenticated: boolean;
  readonly permissions: readonly string[];
  /** What the credentials say besides; JSON. */
  readonly [claim: string]: unknown;
}

/** One call by a function host. */
export interface Invocation {
  /** Aborted when nobody waits for the answer any more, or the host is shutting down. */
  readonly signal: AbortSignal;
  /** When the host will cut the invocation off. */
  readonly deadline?: Date;
  /** The key level that the host has verified of the caller; routes that ask for more are refused. */
  readonly authLevel: AuthLevel;
  /** Whether it was a function key of the request that opened this level; one that nobody has checked says nothing. */
  readonly isKeyVerified?: boolean;
  /** Where the caller's connection comes from, as the host knows it. */
  readonly address?: string;
  /** Who the caller is, if the host has found out: a web framework with a sign-in of its own. */
  readonly user?: User;
  /**
   * Set where the host does not see clients leave. A stream whose run is to end with its client is broken off after so
   * long, and its client comes back if it is there.
   */
  readonly signOfLifeMs?: number;
  /** What the host calls this request in its own logs. */
  readonly requestId?: string;
  /** The host's own span of this call. */
  readonly traceContext?: TraceContext;
}

export type HttpMethod = "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD" | "OPTIONS";

/** One HTTP endpoint that a function host is to register under a name and a key level of its own. */
export interface HttpFunction {
  /** Hosts match in the order of these names: the catch-all's sorts after every other. */
  readonly name: string;
  /** Template without the host's prefix: `graphs/chat/invoke`, `graphs/chat/threads/{thread_id}/state`, `{*path}`. */
  readonly route: string;
  readonly methods: readonly HttpMethod[];
  readonly authLevel: AuthLevel;
}

/** What a timer tick did. */
export interface TickReport {
  /** Runs whose executor had vanished, and which were put back or given up. */
  readonly recovered: number;
  /** Runs that had waited too long, and for which another message was sent. */
  readonly resent: number;
  /** Runs that crons asked for. */
  readonly fired: number;
  /** Rows that were kept for long enough. */
  readonly expired: number;
}

export type RunStatus = "pending" | "running" | "error" | "success" | "timeout" | "interrupted";
export type ThreadStatus = "idle" | "busy" | "interrupted" | "error";

/** What happens when a run is asked for while another of the thread is active. */
export type MultitaskStrategy = "reject" | "enqueue" | "interrupt" | "rollback";

/** `interrupt` keeps what the run has done, `rollback` undoes it. */
export type CancelAction = "interrupt" | "rollback";
/** `taken`: another run has taken in what this one was asked. */
export type CancelReason = "taken";

export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Which run, and of which thread. */
export interface RunRef {
  readonly thread_id: string;
  readonly run_id: string;
}

/** A run as clients see it. */
export interface Run {
  readonly run_id: string;
  readonly thread_id: string;
  readonly assistant_id: string;
  readonly status: RunStatus;
  readonly metadata: JsonObject;
  readonly kwargs: JsonObject;
  readonly multitask_strategy: MultitaskStrategy;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** A thread as clients see it. */
export interface Thread {
  readonly thread_id: string;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly state_updated_at: Date;
  readonly metadata: JsonObject;
  readonly config: JsonObject;
  readonly status: ThreadStatus;
  /** The newest state's; null before there is one. */
  readonly values: unknown;
  /** What it waits for, by the task that asked. */
  readonly interrupts: JsonObject;
}

export type PruneStrategy = "delete" | "keep_latest";

/** How long a thread is kept from now on, and what becomes of it then. */
export interface ThreadTtl {
  readonly ttl_minutes: number;
  /** `keep_latest` keeps the thread with its newest state, and forgets how it came to it. */
  readonly strategy: PruneStrategy;
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

export function isFinal(status: RunStatus): boolean {
  switch (status) {
    case "pending":
    case "running":
      return false;
    case "error":
    case "success":
    case "timeout":
    case "interrupted":
      return true;
  }
}

/** All that a function host can do to an app. A host adapter turns its own events into these calls and decides nothing. */
export interface Doors {
  /**
   * HTTP trigger. Always resolves to a response. Its body errors with `StreamCut` when it goes on elsewhere: break the
   * connection then, also if the client has not read all that came before.
   */
  readonly fetch: (request: Request, invocation: Invocation) => Promise<Response>;
  /** Queue trigger, with what the message says. Rejects when it should be delivered again. */
  readonly work: (message: unknown, invocation: Invocation) => Promise<void>;
  /** Timer trigger. */
  readonly tick: (invocation: Invocation) => Promise<TickReport>;
  /**
   * For hosts that freeze the process once an answer is given: waits until the traces of what was executed are on their
   * way, but for no longer than is sensible. Never rejects.
   */
  readonly flush: (signal: AbortSignal) => Promise<void>;
  /** Logs what went wrong after `fetch`, on the way to the client. */
  readonly report: (error: unknown, requestId: string | undefined) => void;
}
