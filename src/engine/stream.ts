/** Reads what a graph emits, in LangGraph's own terms: which subgraph, which stream mode, what. */

import type { CompiledGraph } from "../core/graphs.ts";
import type { StreamMode } from "../core/run-kwargs.ts";

export interface GraphChunk {
  /** The subgraph: the tasks that lead to it, as `node:id`. Empty for the graph itself. */
  readonly namespace: readonly string[];
  /** One of LangGraph's, or `events`. */
  readonly mode: string;
  readonly data: unknown;
}

/** An event as clients get it. */
export interface WireEvent {
  /** `values`, `updates|node:id`, … */
  readonly event: string;
  readonly data: unknown;
}

export interface StreamWishes {
  readonly modes: readonly StreamMode[];
  readonly subgraphs: boolean;
  /** Under which LangChain's events tell of the graph. */
  readonly runId: string;
  /** Members of `configurable` that are not shown. */
  readonly hidden?: readonly string[] | undefined;
}

/** Starts the graph, and gives its chunks; always the values among them, for the outcome. */
export async function* readGraph(
  graph: CompiledGraph,
  input: unknown,
  options: object,
  { modes, subgraphs, runId }: StreamWishes,
): AsyncGenerator<GraphChunk> {
  const settings = { ...options, streamMode: libraryModes(modes), subgraphs };
  if (!modes.includes("events")) {
    for await (const chunk of await graph.stream(input, settings)) yield parseChunk(chunk, subgraphs);
    return;
  }
  let root: unknown;
  for await (const event of await graph.streamEvents(input, { ...settings, runId, version: "v2" })) {
    if (!isEvent(event) || event.tags?.includes("langsmith:hidden") === true) continue;
    root ??= event.run_id;
    if (event.event === "on_chain_stream" && event.run_id === root)
      yield parseChunk(event.data?.chunk, subgraphs);
    else yield { namespace: [], mode: "events", data: event };
  }
}

function libraryModes(modes: readonly StreamMode[]): readonly string[] {
  const library = modes.flatMap((mode) => (mode === "events" ? [] : [LIBRARY_MODE[mode] ?? mode]));
  return [...new Set([...library, "values"])];
}

const LIBRARY_MODE: Partial<Record<StreamMode, string>> = { "messages-tuple": "messages" };

/** With a list of stream modes, a graph emits pairs of mode and data; with subgraphs, the namespace before them. */
function parseChunk(chunk: unknown, subgraphs: boolean): GraphChunk {
  const parts: readonly unknown[] = Array.isArray(chunk) ? chunk : [];
  const [namespace, mode, data] = subgraphs ? parts : [[], ...parts];
  if (typeof mode !== "string" || !Array.isArray(namespace))
    throw new TypeError("The graph emitted a chunk without a mode");
  return { namespace: namespace.map(String), mode, data };
}

interface StreamEvent {
  readonly event: string;
  readonly run_id: string;
  readonly tags?: readonly string[];
  readonly data?: { readonly chunk?: unknown };
}

function isEvent(value: unknown): value is StreamEvent {
  return typeof value === "object" && value !== null && "event" in value && "run_id" in value;
}
