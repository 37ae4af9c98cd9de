/**
 * The event streaming protocol, version 2: what its events are called in the log, who wants which of them, and what the
 * runs of its commands look like to readers of the first version. A run that was started by a command logs
 * `v2|<method>|<namespace…>`, with the event's `params` as data.
 * @see https://www.npmjs.com/package/@langchain/protocol
 */

import { isJsonObject, type JsonObject, type RunEvent } from "./model.ts";
import type { EventSelection, ThreadEvent } from "./thread-log.ts";

const PREFIX = "v2|";

/** How a run that was started by a command is told from others. */
export interface ProtocolRun {
  /** The thread's newest event when the command came: all of the run's are after it. */
  readonly after: number;
}

/** How far the graph, or a part of it, has come. */
export type AgentStatus = "started" | "running" | "completed" | "failed" | "interrupted";

export interface ProtocolParams {
  /** The tasks that lead to the subgraph, as `node:id`; empty for the graph itself. */
  readonly namespace: readonly string[];
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly node?: string;
  readonly data: unknown;
}

/** The name of an event in the log; named custom channels have the name in theirs. */
export function logName(method: string, { namespace, data }: ProtocolParams): string {
  const named = method === "custom" && isJsonObject(data) && typeof data["name"] === "string";
  const kind = named ? customKind(String(data["name"])) : method;
  return [`${PREFIX}${kind}`, ...namespace].join("|");
}

/** The root's own lifecycle, which LangGraph leaves to the server. */
export function rootLifecycle(
  event: AgentStatus,
  graph_name: string,
  now: Date,
  error?: string,
): { readonly event: string; readonly data: ProtocolParams } {
  const data = { event, graph_name, ...(error === undefined ? {} : { error }) };
  const params = { namespace: [], timestamp: now.getTime(), data };
  return { event: logName("lifecycle", params), data: params };
}

/** Which events a client wants. */
export interface EventFilter {
  readonly channels: readonly string[];
  /** Prefixes; none for all. A segment without a colon stands for each task of that node. */
  readonly namespaces: readonly (readonly string[])[] | undefined;
  /** How many levels below the prefix. */
  readonly depth: number | undefined;
}

/** What to read of the log for a filter. */
export function selectionOf({ channels }: Pick<EventFilter, "channels">): EventSelection {
  return { prefix: PREFIX, kinds: channels.flatMap(kindsOf) };
}

function kindsOf(channel: string): readonly string[] {
  if (channel === "input") return ["input.requested"];
  if (channel === "custom") return ["custom", "custom:*"];
  return channel.startsWith("custom:") ? [customKind(channel.slice("custom:".length))] : [channel];
}

function customKind(name: string): string {
  return `custom:${encodeURIComponent(name)}`;
}

/** Whether an event comes from a place that is wanted. */
export function isInScope({ event }: RunEvent, { namespaces, depth }: EventFilter): boolean {
  if (namespaces === undefined || namespaces.length === 0) return true;
  const [, , ...namespace] = event.split("|");
  return namespaces.some((prefix) => {
    if (prefix.length > namespace.length) return false;
    const isWithin = prefix.every((segment, level) => isSegment(namespace[level] ?? "", segment));
    return isWithin && (depth === undefined || namespace.length - prefix.length <= depth);
  });
}

function isSegment(candidate: string, wanted: string): boolean {
  return candidate === wanted || (!wanted.includes(":") && candidate.split(":", 1)[0] === wanted);
}

/** An event as it goes over the wire. */
export interface Envelope {
  readonly method: string;
  /** Unique over all runs of the thread, and the same each time that the event is read. */
  readonly event_id: string;
  /** JSON. */
  readonly text: string;
}

/** Clients take the run of a lifecycle event from the second part of its id. */
export function toEnvelope({ seq, run_id, event, data }: ThreadEvent): Envelope {
  const [, kind = ""] = event.split("|", 2);
  const method = kind.startsWith("custom:") ? "custom" : kind;
  const event_id = method === "lifecycle" ? `synth:${run_id}:${seq}` : String(seq);
  return {
    method,
    event_id,
    text: `{"type":"event","event_id":"${event_id}","seq":${seq},"method":"${method}","params":${data}}`,
  };
}

/** Whether the graph itself has come to an end with this event. */
export function isRootEnd({ event, data }: RunEvent): boolean {
  return event === `${PREFIX}lifecycle` && /"event":"(completed|failed|interrupted)"/.test(data);
}

/** What the event was in the terms of the protocol; null for one of the first version. */
export function parseEvent({
  event,
  data,
}: RunEvent): { readonly method: string; readonly params: JsonObject } | null {
  if (!event.startsWith(PREFIX)) return null;
  const [, method = ""] = event.split("|", 2);
  const params: unknown = JSON.parse(data);
  return isJsonObject(params) ? { method, params } : null;
}

/**
 * The event as readers of the first version know it, whichever version the run was asked for in; null for what that
 * version has no word for. Messages are among it: theirs are chunks, and those cannot be put together from deltas.
 */
export function inFirstVersion(event: RunEvent): RunEvent | null {
  if (!event.event.startsWith(PREFIX)) return event;
  const [, method = "", ...namespace] = event.event.split("|");
  const data = firstVersionData(method, event);
  if (data === undefined) return null;
  const [mode = ""] = method.split(":", 1);
  return { seq: event.seq, event: [mode, ...namespace].join("|"), data: JSON.stringify(data) };
}

function firstVersionData(method: string, event: RunEvent): unknown {
  if (!["values", "updates", "tasks", "custom"].includes(method.split(":", 1)[0] ?? "")) return undefined;
  const { data, node } = parseEvent(event)?.params ?? {};
  if (method === "updates") return { [String(node)]: data };
  if (method.startsWith("custom:")) return data;
  return method === "custom" && isJsonObject(data) ? data["payload"] : data;
}
