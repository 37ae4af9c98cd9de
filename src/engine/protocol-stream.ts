/** Reads what a graph emits in the terms of the event streaming protocol, which LangGraph speaks itself. */

import type { CompiledGraph } from "../core/graphs.ts";
import { isJsonObject } from "../core/model.ts";
import type { GraphChunk } from "./stream.ts";

export interface ProtocolChunk extends GraphChunk {
  readonly timestamp: number;
  readonly node?: string;
}

/** Starts the graph, with all that it can tell, of its subgraphs too. */
export async function* readProtocol(
  graph: CompiledGraph,
  input: unknown,
  { callbacks, ...options }: { readonly callbacks: readonly object[] },
): AsyncGenerator<ProtocolChunk> {
  const { ProtocolCallbacks } = await import("./protocol-callbacks.ts");
  const { ensureHandler } = await import("@langchain/core/callbacks/manager");
  const handlers = callbacks.map((handler) => ensureHandler(handler));
  const settings = { ...options, callbacks: ProtocolCallbacks.of(handlers), version: "v3" as const };
  for await (const event of await graph.streamEvents(input, settings)) yield parseChunk(event);
}

function parseChunk(event: unknown): ProtocolChunk {
  const { method, params }: { method?: unknown; params?: unknown } = isJsonObject(event) ? event : {};
  if (typeof method !== "string" || !isJsonObject(params) || !Array.isArray(params["namespace"]))
    throw new TypeError("The graph emitted an event without a method or a namespace");
  const { namespace, timestamp, node, data } = params;
  return {
    namespace: namespace.map(String),
    mode: method,
    timestamp: Number(timestamp),
    ...(typeof node === "string" ? { node } : {}),
    data,
  };
}
