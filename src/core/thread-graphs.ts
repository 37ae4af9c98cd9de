/** The graph of a thread, for whoever asks about the thread's state or edits it. */

import { AppError } from "../errors.ts";
import { authFields, principalOf, type Caller } from "./auth.ts";
import type { Checkpointer } from "./execution.ts";
import {
  withCheckpointer,
  withStore,
  type CompiledGraph,
  type Graph,
  type GraphRegistry,
  type GraphStores,
} from "./graphs.ts";
import type { Thread } from "./model.ts";

export interface GraphDeps {
  readonly graphs: GraphRegistry;
  /** For what an edit leads to: the edges after a node may ask it. */
  readonly graphStore: GraphStores;
}

/** Throws when a caller may not have the graph's code run, as an edit does. */
export type CheckGraph = (graph: Graph) => void;

type Owned = Pick<Thread, "thread_id" | "metadata">;

/** The one that the thread's metadata names; null when it names none. @throws AppError `not_found` */
export async function load(
  deps: GraphDeps,
  caller: Caller,
  thread: Owned,
  checkGraph?: CheckGraph,
): Promise<CompiledGraph | null> {
  const name = thread.metadata["graph_id"];
  if (typeof name !== "string") return null;
  const graph = deps.graphs.get(name);
  checkGraph?.(graph);
  return loadFor(deps, caller, graph, thread.thread_id);
}

/** A graph with the config that it was registered with, on a thread. */
export async function loadFor(
  { graphStore }: Pick<GraphDeps, "graphStore">,
  caller: Caller,
  graph: Graph,
  thread_id: string,
): Promise<CompiledGraph> {
  const known = authFields(principalOf(caller));
  const configurable = { ...graph.config?.configurable, ...known, thread_id };
  return withStore(await graph.load({ ...graph.config, configurable }), await graphStore(caller.storeOwner));
}

/** @throws AppError `invalid_request` when there is no graph, or it keeps no state */
export async function loadEditable(
  deps: GraphDeps,
  caller: Caller,
  thread: Owned,
  checkGraph: CheckGraph,
): Promise<CompiledGraph> {
  const compiled = await load(deps, caller, thread, checkGraph);
  if (compiled === null) {
    const advice = "run one on it, or name one as graph_id in its metadata";
    throw new AppError("invalid_request", `Thread '${thread.thread_id}' has no graph: ${advice}`);
  }
  if (compiled.checkpointer === false)
    throw new AppError("invalid_request", `The graph of thread '${thread.thread_id}' keeps no state`);
  return compiled;
}

/** On a checkpointer, unless it brings its own, or keeps no state. */
export function keeping(compiled: CompiledGraph, checkpointer: Checkpointer): CompiledGraph {
  return compiled.checkpointer === undefined ? withCheckpointer(compiled, checkpointer) : compiled;
}
