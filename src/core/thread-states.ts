/** The rules of threads' states: read, looked back at, edited. A thread's graph is the one that its metadata names. */

import { AppError } from "../errors.ts";
import { isEverything, type Caller, type Scope } from "./auth.ts";
import { checkUpdate, type StateUpdate } from "./graph-names.ts";
import type { Checkpointers } from "./execution.ts";
import type { CompiledGraph, Graph, StateSnapshot } from "./graphs.ts";
import { isJsonObject, type JsonObject, type Thread } from "./model.ts";
import type { Command } from "./run-kwargs.ts";
import { checkpointIds, EMPTY_STATE, shownState, type ThreadState } from "./shown-state.ts";
import { keeping, load, loadEditable, loadFor, type CheckGraph, type GraphDeps } from "./thread-graphs.ts";
import type { EditedState } from "./thread-store.ts";
import {
  checkStillReached,
  grantThread,
  missing,
  reachThread,
  storeThread,
  type NewThread,
  type ThreadDeps,
} from "./threads.ts";

export interface ThreadStateDeps extends ThreadDeps, GraphDeps {
  readonly checkpointers: Checkpointers;
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

export type StateDeps = Pick<ThreadStateDeps, "threads" | "checkpointers" | "graphStore">;

/**
 * The newest state of a thread as a graph has it. Of a thread without a record, it is for callers who reach everything.
 * @throws AppError `not_found` when the thread has no state, belongs to another graph, or the graph keeps none.
 */
export async function readState(
  deps: StateDeps,
  caller: Caller,
  graph: Graph,
  threadId: string,
): Promise<StateSnapshot> {
  const { scope } = await caller.authorize("threads:read", { thread_id: threadId });
  const isOurs = async (): Promise<boolean> => {
    const bound = await deps.threads.boundTo(threadId, scope);
    return bound === null ? isEverything(scope) : (bound.graph_id ?? graph.name) === graph.name;
  };
  // Where callers are told apart, the thread may be made anew by somebody else while its state is read: it is asked last.
  const [isKnownOurs, compiled, checkpointer] = await Promise.all([
    !isEverything(scope) || isOurs(),
    loadFor(deps, caller, graph, threadId),
    deps.checkpointers.forThread(),
  ]);
  const readable = keeping(compiled, checkpointer);
  if (!isKnownOurs || readable.checkpointer === false) throw missing(threadId);
  const [read] = await Promise.allSettled([readable.getState({ configurable: { thread_id: threadId } })]);
  if (!isEverything(scope) && !(await isOurs())) throw missing(threadId);
  if (read.status === "rejected") throw read.reason;
  if (read.value.metadata === undefined) throw missing(threadId);
  return read.value;
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

export interface Superstep {
  readonly updates: readonly StateUpdate[];
}

export interface StateEdit extends StateUpdate {
  readonly checkpoint: CheckpointRef;
  /** The checkpoint that the thread must still be at. */
  readonly ifNewest?: string | undefined;
  readonly checkGraph: CheckGraph;
}

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

function configOf(thread_id: string, { checkpoint_id, checkpoint_ns = "", checkpoint_map }: CheckpointRef) {
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
