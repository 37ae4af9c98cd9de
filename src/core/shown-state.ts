/** A graph's state as the Platform shows it. */

import type { StateSnapshot } from "./graphs.ts";
import { isJsonObject, type JsonObject } from "./model.ts";

export interface Checkpoint {
  readonly thread_id: unknown;
  readonly checkpoint_id: unknown;
  readonly checkpoint_ns: unknown;
  readonly checkpoint_map: unknown;
}

/** A state as clients see it. */
export interface ThreadState {
  readonly values: unknown;
  readonly next: readonly string[];
  readonly tasks: readonly ThreadTask[];
  readonly metadata: unknown;
  readonly created_at: string | null;
  readonly checkpoint: Checkpoint | null;
  readonly parent_checkpoint: Checkpoint | null;
  /** Of all tasks. */
  readonly interrupts: readonly unknown[];
}

export interface ThreadTask {
  readonly id: string;
  readonly name: string;
  readonly path: readonly unknown[];
  readonly error: string | null;
  readonly interrupts: readonly unknown[];
  /** Where the state of the subgraph that it runs is to be asked for. */
  readonly checkpoint: unknown;
  readonly state: ThreadState | null;
  readonly result: unknown;
}

type ToPlain = (value: unknown) => unknown;

export const EMPTY_STATE: ThreadState = {
  values: {},
  next: [],
  tasks: [],
  metadata: {},
  created_at: null,
  checkpoint: null,
  parent_checkpoint: null,
  interrupts: [],
};

export function shownState(snapshot: StateSnapshot, toPlain: ToPlain): ThreadState {
  const { values, next, metadata, config, createdAt, parentConfig } = snapshot;
  const tasks = (snapshot.tasks ?? []).map((task) => shownTask(task, toPlain));
  return {
    values: toPlain(values),
    next,
    tasks,
    metadata: toPlain(metadata),
    created_at: createdAt ?? null,
    checkpoint: shownCheckpoint(config),
    parent_checkpoint: parentConfig === undefined ? null : shownCheckpoint(parentConfig),
    interrupts: tasks.flatMap(({ interrupts }) => interrupts),
  };
}

type SnapshotTask = NonNullable<StateSnapshot["tasks"]>[number];

function shownTask(task: SnapshotTask, toPlain: ToPlain): ThreadTask {
  const { id, name = "", path = [], error, interrupts = [], state, result } = task;
  return {
    id,
    name,
    path: path.filter((part) => typeof part !== "object"),
    // Its words are the graph's own: they are in the log, under the id that the run's error names.
    error: error === undefined || error === null ? null : "The task failed",
    interrupts: interrupts.map((interrupt) => toPlain(interrupt)),
    checkpoint: isConfig(state) ? state.configurable : null,
    state: isSnapshot(state) ? shownState(state, toPlain) : null,
    result: result === undefined ? null : toPlain(result),
  };
}

function isSnapshot(state: unknown): state is StateSnapshot {
  return isJsonObject(state) && "values" in state && "next" in state;
}

function isConfig(state: unknown): state is { readonly configurable: JsonObject } {
  return isJsonObject(state) && !isSnapshot(state) && isJsonObject(state["configurable"]);
}

function shownCheckpoint({ configurable = {} }: StateSnapshot["config"]): Checkpoint {
  const { thread_id, checkpoint_id = null, checkpoint_ns = "", checkpoint_map = null } = configurable;
  return { thread_id, checkpoint_id, checkpoint_ns, checkpoint_map };
}

/** Those that say something. */
export function checkpointIds(config: StateSnapshot["config"]): JsonObject {
  return Object.fromEntries(Object.entries(shownCheckpoint(config)).filter(([, value]) => value !== null));
}
