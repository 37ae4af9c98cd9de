/** From what a graph emits to the events of the wire: their names, and what the Platform shows of checkpoints and tasks. */

import { isJsonObject, type JsonObject } from "../core/model.ts";
import { MessageAssembly } from "./messages.ts";
import type { CompiledGraph } from "../core/graphs.ts";
import { readGraph, type GraphChunk, type StreamWishes, type WireEvent } from "./stream.ts";

/** A way to call a graph, and what clients are told of what it emits. */
export interface Reading {
  readonly read: (
    graph: CompiledGraph,
    input: unknown,
    options: { readonly callbacks: readonly object[] },
  ) => AsyncIterable<GraphChunk>;
  readonly of: (chunk: GraphChunk) => Iterable<WireEvent>;
}

/** The events that were asked for. */
export class WireEvents implements Reading {
  readonly #wishes: StreamWishes;
  readonly #modes: ReadonlySet<string>;
  readonly #hidden: ReadonlySet<string>;
  readonly #messages = new MessageAssembly();

  constructor(wishes: StreamWishes) {
    this.#wishes = wishes;
    this.#modes = new Set(wishes.modes);
    this.#hidden = new Set(wishes.hidden);
  }

  read(graph: CompiledGraph, input: unknown, options: object): AsyncIterable<GraphChunk> {
    return readGraph(graph, input, options, this.#wishes);
  }

  *of({ namespace, mode, data }: GraphChunk): Generator<WireEvent> {
    const event = [mode, ...namespace].join("|");
    if (mode === "messages") {
      if (this.#modes.has("messages-tuple")) yield { event, data };
      if (this.#modes.has("messages")) yield* this.#messages.grow(data);
      return;
    }
    if (this.#modes.has(mode) && !isEnvelope(mode, data))
      yield { event, data: shown(mode, data, this.#hidden) };
    if (mode === "values" && this.#modes.has("messages")) yield* this.#messages.complete(data);
  }
}

/** A short form of a checkpoint, which LangGraph puts before values for the second version of the protocol. */
function isEnvelope(mode: string, data: unknown): boolean {
  return mode === "checkpoints" && isJsonObject(data) && !("values" in data);
}

function shown(mode: string, data: unknown, hidden: ReadonlySet<string>): unknown {
  if (!isJsonObject(data)) return data;
  switch (mode) {
    case "checkpoints":
      return { values: data["values"], metadata: data["metadata"], next: data["next"] };
    case "tasks":
      return shownTask(data);
    case "debug":
      return { ...data, payload: shownPayload(data["type"], data["payload"], hidden) };
    default:
      return data;
  }
}

function shownPayload(type: unknown, payload: unknown, hidden: ReadonlySet<string>): unknown {
  if (!isJsonObject(payload)) return payload;
  return type === "checkpoint" ? shownCheckpoint(payload, hidden) : shownTask(payload);
}

function shownCheckpoint(
  { config, parentConfig, tasks, ...payload }: JsonObject,
  hidden: ReadonlySet<string>,
): unknown {
  const all: readonly unknown[] = Array.isArray(tasks) ? tasks : [];
  return {
    ...payload,
    config: shownConfig(config, hidden),
    parent_config: shownConfig(parentConfig, hidden),
    checkpoint: checkpointOf(config),
    parent_checkpoint: checkpointOf(parentConfig),
    tasks: all.map((task) => (isJsonObject(task) ? shownTask(task) : task)),
  };
}

/** A subgraph's state is shown as the checkpoint where it is to be found. */
export function shownTask(task: JsonObject): unknown {
  const { state, ...rest } = task;
  const checkpoint = checkpointOf(state);
  return checkpoint === null ? task : { ...rest, checkpoint };
}

function checkpointOf(config: unknown): unknown {
  const configurable = isJsonObject(config) ? config["configurable"] : undefined;
  if (!isJsonObject(configurable)) return null;
  const { thread_id, checkpoint_id, checkpoint_ns, checkpoint_map } = configurable;
  if (typeof thread_id !== "string") return null;
  return {
    thread_id,
    checkpoint_id: checkpoint_id ?? null,
    checkpoint_ns: checkpoint_ns ?? "",
    checkpoint_map: checkpoint_map ?? null,
  };
}

/** What was configured, without what LangGraph adds for its own use. */
function shownConfig(config: unknown, hidden: ReadonlySet<string>): unknown {
  if (!isJsonObject(config)) return undefined;
  const { configurable, metadata, tags, recursion_limit } = config;
  const own = Object.entries(isJsonObject(configurable) ? configurable : {}).filter(
    ([key]) => !key.startsWith("__") && !hidden.has(key),
  );
  return { configurable: Object.fromEntries(own), metadata, tags, recursion_limit };
}
