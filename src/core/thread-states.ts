/** The rules of threads' states: read, looked back at, edited. A thread's graph is the one that its metadata names. */

import { AppError } from "../errors.ts";
import { authFields, principalOf, type Caller, type Scope } from "./auth.ts";
import { checkUpdate } from "./graph-names.ts";
import type { Checkpointer, Checkpointers } from "./execution.ts";
import {
  withCheckpointer,
  withStore,
  type CompiledGraph,
  type Graph,
  type GraphStores,
  type StateSnapshot,
} from "./graphs.ts";
import { isJsonObject, type JsonObject, type Thread } from "./model.ts";
import type { Command } from "./run-kwargs.ts";
import { checkpointIds, EMPTY_STATE, shownState, type ThreadState } from "./shown-state.ts";
import {
  checkStillReached,
  grantThread,
  reachThread,
  storeThread,
  type EditedState,
  type NewThread,
  type ThreadDeps,
} from "./threads.ts";

export interface ThreadStateDeps extends ThreadDeps {
  readonly checkpointers: Checkpointers;
  /** For what an edit leads to: the edges after a node may ask it. */
  readonly graphStore: GraphStores;
  readonly toPlain: (value: unknown) => unknown;
  readonly toCommand: (command: Command) => Promise<unknown>;
}

/** Which of a thread's checkpoints: the newest, if it says nothing. */
export interface CheckpointRef {
  readonly checkpoint_id?: string | undefined;
  /** Of a subgraph: `node:task`, and so on with `|`. */
  readonly checkpoint_ns?: string | undefined;
  readonly checkpoint_map?: JsonObject | null | undefined;
}

/** A checkpoint of a thread. */
export interface StatePlace {
  readonly threadId: string;
  readonly at: CheckpointRef;
}

/** Who looks at a thread, and what it reaches. */
export interface ThreadReader {
  readonly caller: Caller;
  readonly scope: Scope;
}

interface StateOptions {
  /** Whether the states of subgraphs at work are shown with it. */
  readonly subgraphs: boolean;
}

/**
 * A thread without a graph or a checkpoint has an empty state.
 * @throws AppError `not_found` for a thread or checkpoint; `forbidden`
 */
export async function getState(
  deps: ThreadStateDeps,
  caller: Caller,
  place: StatePlace,
  options: StateOptions,
): Promise<ThreadState> {
  const { scope } = await caller.authorize("threads:read", { thread_id: place.threadId });
  return reachState(deps, { caller, scope }, place, options);
}

/** For a caller who has been asked about. @throws AppError `not_found` */
export async function reachState(
  deps: ThreadStateDeps,
  reader: ThreadReader,
  { threadId, at }: StatePlace,
  options: StateOptions,
): Promise<ThreadState> {
  const graph = await readableGraph(deps, reader, threadId);
  const snapshot = await graph?.getState(configOf(threadId, at), options);
  await checkStillReached(deps, reader.scope, threadId);
  if (snapshot?.metadata !== undefined) return shownState(snapshot, deps.toPlain);
  if (at.checkpoint_id !== undefined) throw missingCheckpoint(at.checkpoint_id);
  return EMPTY_STATE;
}

export interface HistoryQuery {
  readonly limit: number;
  readonly before: string | undefined;
  /** Contained in the checkpoint's. */
  readonly metadata: JsonObject | undefined;
  readonly checkpoint: CheckpointRef;
}

/** Newest first. @throws AppError `not_found`, `forbidden` */
export async function getHistory(
  deps: ThreadStateDeps,
  caller: Caller,
  threadId: string,
  query: HistoryQuery,
): Promise<readonly ThreadState[]> {
  const { scope } = await caller.authorize("threads:read", { thread_id: threadId });
  return reachHistory(deps, { caller, scope }, threadId, query);
}

/** For a caller who has been asked about. @throws AppError `not_found` */
export async function reachHistory(
  deps: ThreadStateDeps,
  reader: ThreadReader,
  threadId: string,
  { limit, before, metadata, checkpoint }: HistoryQuery,
): Promise<readonly ThreadState[]> {
  const graph = await readableGraph(deps, reader, threadId);
  const snapshots =
    graph?.getStateHistory(configOf(threadId, checkpoint), {
      limit,
      ...(before === undefined ? {} : { before: { configurable: { checkpoint_id: before } } }),
      ...(metadata === undefined ? {} : { filter: metadata }),
    }) ?? [];
  const states: ThreadState[] = [];
  for await (const snapshot of snapshots) states.push(shownState(snapshot, deps.toPlain));
  await checkStillReached(deps, reader.scope, threadId);
  return states;
}

export interface StateUpdate {
  readonly values?: unknown;
  readonly command?: Command | undefined;
  readonly as_node?: string | undefined;
}

export interface Superstep {
  readonly updates: readonly StateUpdate[];
}

export interface StateEdit extends StateUpdate {
  readonly checkpoint: CheckpointRef;
  /** The checkpoint that the thread must still be at. */
  readonly ifNewest?: string | undefined;
  readonly checkGraph: CheckGraph;
}

/** Throws when a caller may not have the graph's code run, as an edit does. */
export type CheckGraph = (graph: Graph) => void;

/**
 * Saves a new checkpoint, made of the one it names and the update.
 * @throws AppError `thread_busy`, `state_moved`, `not_found`, `forbidden`; `invalid_request` for what the graph cannot take
 */
export async function updateState(
  deps: ThreadStateDeps,
  caller: Caller,
  threadId: string,
  { checkpoint, ifNewest, checkGraph, ...update }: StateEdit,
): Promise<{ readonly checkpoint: JsonObject }> {
  const { scope } = await caller.authorize("threads:update", { thread_id: threadId });
  const thread = await reachThread(deps, scope, threadId);
  const compiled = await loadEditable(deps, caller, thread, checkGraph);
  // A subgraph has nodes and fields of its own.
  if ((checkpoint.checkpoint_ns ?? "") === "") checkUpdate(compiled, update);
  let saved: StateSnapshot["config"] = {};
  await deps.threadStates.edit(threadId, scope, deps.clock.now(), async (checkpointer, { metadata }) => {
    if (metadata["graph_id"] !== thread.metadata["graph_id"])
      throw new AppError("thread_busy", `Thread '${threadId}' has gone to another graph meanwhile`);
    const graph = keeping(compiled, checkpointer);
    await checkNewest(graph, threadId, ifNewest);
    await checkBase(graph, threadId, checkpoint);
    saved = await graphUpdate(deps, graph, configOf(threadId, checkpoint), [{ updates: [update] }]);
    return editedState(deps, graph, threadId);
  });
  return { checkpoint: checkpointIds(saved) };
}

export interface ThreadContent extends Pick<StateEdit, "checkGraph"> {
  readonly supersteps: readonly Superstep[];
}

/**
 * Makes a thread whose state is what the supersteps lead to, for callers who may edit it, too.
 * @throws AppError `thread_exists`, `invalid_request`, `forbidden`
 */
export async function createThreadWith(
  deps: ThreadStateDeps,
  caller: Caller,
  asked: NewThread,
  { supersteps, checkGraph }: ThreadContent,
): Promise<Thread> {
  const granted = await grantThread(deps, caller, asked);
  const { thread_id } = granted.thread;
  await caller.authorize("threads:update", { thread_id });
  const compiled = await loadEditable(deps, caller, granted.thread, checkGraph);
  for (const [step, { updates }] of supersteps.entries())
    for (const [index, update] of updates.entries())
      checkUpdate(compiled, update, `supersteps.${step}.updates.${index}.`);
  return storeThread(deps, granted, async (stored, scope, now) =>
    deps.threadStates.createWith(stored, scope, now, async (checkpointer) => {
      const graph = keeping(compiled, checkpointer);
      await graphUpdate(deps, graph, configOf(thread_id, {}), supersteps);
      return editedState(deps, graph, thread_id);
    }),
  );
}

/** The thread's graph on a checkpointer; null when it has none, or keeps no state. @throws AppError `not_found` */
async function readableGraph(
  deps: ThreadStateDeps,
  { caller, scope }: ThreadReader,
  threadId: string,
): Promise<CompiledGraph | null> {
  const thread = await reachThread(deps, scope, threadId);
  const [compiled, checkpointer] = await Promise.all([
    load(deps, caller, thread),
    deps.checkpointers.forThread(),
  ]);
  return compiled === null || compiled.checkpointer === false ? null : keeping(compiled, checkpointer);
}

type Owned = Pick<Thread, "thread_id" | "metadata">;

async function load(
  { graphs, graphStore }: ThreadStateDeps,
  caller: Caller,
  thread: Owned,
  checkGraph?: CheckGraph,
): Promise<CompiledGraph | null> {
  const name = thread.metadata["graph_id"];
  if (typeof name !== "string") return null;
  const graph = graphs.get(name);
  checkGraph?.(graph);
  return withStore(await loadFor(graph, caller, thread.thread_id), await graphStore(caller.storeOwner));
}

/** A factory gets what it is registered with, and who asks. */
export async function loadFor(graph: Graph, caller: Caller, thread_id: string): Promise<CompiledGraph> {
  const configurable = { ...graph.config?.configurable, ...authFields(principalOf(caller)), thread_id };
  return graph.load({ ...graph.config, configurable });
}

async function loadEditable(
  deps: ThreadStateDeps,
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

/** With ours, unless it has one of its own, or keeps no state. */
export function keeping(compiled: CompiledGraph, checkpointer: Checkpointer): CompiledGraph {
  return compiled.checkpointer === undefined ? withCheckpointer(compiled, checkpointer) : compiled;
}

export function configOf(
  thread_id: string,
  { checkpoint_id, checkpoint_ns = "", checkpoint_map }: CheckpointRef,
) {
  return {
    configurable: {
      thread_id,
      checkpoint_ns,
      ...(checkpoint_id === undefined ? {} : { checkpoint_id }),
      ...(isJsonObject(checkpoint_map) ? { checkpoint_map } : {}),
    },
  };
}

async function checkNewest(
  graph: CompiledGraph,
  threadId: string,
  wanted: string | undefined,
): Promise<void> {
  if (wanted === undefined) return;
  const { config } = await graph.getState(configOf(threadId, {}));
  if (config.configurable?.["checkpoint_id"] === wanted) return;
  throw new AppError(
    "state_moved",
    `Checkpoint '${wanted}' is not the newest of thread '${threadId}' any more`,
  );
}

/** LangGraph takes a checkpoint that does not exist for an empty one. */
async function checkBase(graph: CompiledGraph, threadId: string, base: CheckpointRef): Promise<void> {
  if (base.checkpoint_id === undefined) return;
  const snapshot = await graph.getState(configOf(threadId, base));
  if (snapshot.metadata === undefined) throw missingCheckpoint(base.checkpoint_id);
}

async function graphUpdate(
  { toCommand }: ThreadStateDeps,
  graph: CompiledGraph,
  config: object,
  supersteps: readonly Superstep[],
): Promise<StateSnapshot["config"]> {
  const steps = await Promise.all(
    supersteps.map(async ({ updates }) => ({
      updates: await Promise.all(
        updates.map(async ({ values, command, as_node }) => ({
          values: command === undefined ? (values ?? null) : await toCommand(command),
          asNode: as_node,
        })),
      ),
    })),
  );
  try {
    return await graph.bulkUpdateState(config, steps);
  } catch (error) {
    throw updateFailure(error);
  }
}

/** What LangGraph says of an update that makes no sense is for the client; what the graph's own code says is not. */
function updateFailure(error: unknown): unknown {
  if (error instanceof AppError || !(error instanceof Error) || "severity" in error) return error;
  const reason = error.name === "InvalidUpdateError" ? error.message : "the graph cannot take it";
  return new AppError("invalid_request", `values: ${reason}`, { cause: error });
}

async function editedState(
  { toPlain }: ThreadStateDeps,
  graph: CompiledGraph,
  threadId: string,
): Promise<EditedState> {
  const snapshot = await graph.getState(configOf(threadId, {}));
  const { values, tasks = [] } = snapshot;
  const waiting = tasks.flatMap(({ id, interrupts = [] }) =>
    interrupts.length > 0 ? [[id, toPlain(interrupts)] as const] : [],
  );
  const told = JSON.stringify({ state: shownState(snapshot, toPlain), thread_id: threadId });
  return { values: toPlain(values), interrupts: Object.fromEntries(waiting), told };
}

function missingCheckpoint(checkpointId: string): AppError {
  return new AppError("not_found", `Checkpoint '${checkpointId}' not found`);
}
