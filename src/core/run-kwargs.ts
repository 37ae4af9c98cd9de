/** What a run does, as clients ask for it and its record keeps it. */

import type { Principal } from "./auth.ts";
import type { GraphConfig } from "./config.ts";
import type { JsonObject } from "./model.ts";
import type { ProtocolRun } from "./protocol.ts";

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

export type Durability = "async" | "sync" | "exit";

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
  /** Fails when it answers an interrupt that the thread does not wait at. */
  readonly strict_resume?: boolean;
  /** Streams in the second version of the protocol. */
  readonly protocol?: ProtocolRun;
}

/** What a run does, as its record keeps it. */
export interface RunKwargs extends RunSettings {
  readonly input?: unknown;
  readonly command?: Command;
  readonly config: GraphConfig;
  readonly stream_mode: readonly StreamMode[];
  /** Is told when the run has ended. */
  readonly webhook?: string;
  /** Of the request that asked for it, for the graph's config. Never shown: they may tell of whoever asked. */
  readonly request_headers?: Readonly<Record<string, string>>;
  /** What the graph's context factory made of the request that asked for it, for whoever executes it later. Never shown. */
  readonly made_context?: MadeContext;
  /** On whose behalf it executes; absent where callers are not told apart. Never shown. */
  readonly principal?: Principal;
  /** The span that asked for it, where that is traced. Never shown. */
  readonly traceparent?: string;
  /** Its client is asked for signs of life; where that comes back to, it may go on. Never shown. */
  readonly ends_with_client?: boolean;
  /** Keeps the output with the run, for those who ask for it later; the thread's values may have moved on by then. */
  readonly keeps_output?: boolean;
}

/** Only JSON can be kept: a connection, or a function, is there for the invocation that made it alone. */
export type MadeContext = { readonly json: unknown } | { readonly is_lost: true };

/** What of it is for the server alone. */
export const HIDDEN_KWARGS = [
  "request_headers",
  "made_context",
  "principal",
  "traceparent",
  "ends_with_client",
] as const;

/** What clients see of it. */
export function shownKwargs(kwargs: JsonObject): JsonObject {
  const hidden: readonly string[] = HIDDEN_KWARGS;
  return Object.fromEntries(Object.entries(kwargs).filter(([name]) => !hidden.includes(name)));
}

/** A context as a run's record keeps it. */
export function keptContext(made: unknown): MadeContext {
  return isJson(made) ? { json: made } : { is_lost: true };
}

/** Whether it is the same again after having been stored; members that are undefined are as good as absent. */
function isJson(value: unknown, within: readonly unknown[] = []): boolean {
  if (value === null || value === undefined) return true;
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object") return typeof value === "string" || typeof value === "boolean";
  if (within.includes(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlain = Array.isArray(value) || prototype === Object.prototype || prototype === null;
  return isPlain && Object.values(value).every((member) => isJson(member, [...within, value]));
}
