/**
 * What a run's log has of the protocol's events already. A graph that goes on from a checkpoint emits again what it has
 * restored, and starts again the tasks that were broken off: those who follow the run have been told.
 */

import { isJsonObject } from "../core/model.ts";

interface Subgraph {
  readonly namespace: readonly string[];
  readonly graph_name: unknown;
}

/** The newest superstep of the graph or a subgraph, as far as a former executor has told of it. */
interface Superstep {
  readonly checkpoint: unknown;
  readonly events: Set<string>;
}

export class PastEvents {
  readonly #open = new Map<string, Subgraph>();
  readonly #asked = new Set<unknown>();
  readonly #supersteps = new Map<string, Superstep>();
  #hasBegun = false;

  /** Whether the root's beginning was told. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** Those that have started and not ended. */
  openSubgraphs(): readonly Subgraph[] {
    return [...this.#open.values()];
  }

  /** Takes an event of a former executor. */
  add(method: string, params: object): void {
    const { key, data } = partsOf(params);
    if (method === "lifecycle" && key === "") this.#hasBegun = true;
    else if (method === "checkpoints")
      this.#supersteps.set(key, { checkpoint: idOf(data), events: new Set() });
    else if (IN_SUPERSTEP.has(method)) this.#supersteps.get(key)?.events.add(digest(method, params));
    else this.#note(method, params);
  }

  /** Whether the event, which comes now, was told already. It is from then on. */
  has(method: string, params: object): boolean {
    const { key, data } = partsOf(params);
    if (method === "lifecycle" || method === "input.requested") return !this.#note(method, params);
    const superstep = this.#supersteps.get(key);
    if (superstep === undefined) return false;
    if (method !== "checkpoints") return superstep.events.has(digest(method, params));
    if (superstep.checkpoint === idOf(data)) return true;
    this.#supersteps.delete(key); // the graph has come further
    return false;
  }

  /** False when there is nothing new in it. */
  #note(method: string, params: object): boolean {
    const { key, data, namespace } = partsOf(params);
    if (!isJsonObject(data)) return true;
    if (method === "input.requested") {
      const isNew = !this.#asked.has(data["interrupt_id"]);
      this.#asked.add(data["interrupt_id"]);
      return isNew;
    }
    if (method !== "lifecycle") return true;
    if (data["event"] !== "started") return this.#open.delete(key) || true;
    const isNew = !this.#open.has(key);
    this.#open.set(key, { namespace, graph_name: data["graph_name"] });
    return isNew;
  }
}

const IN_SUPERSTEP: ReadonlySet<string> = new Set(["values", "updates", "tasks"]);

function partsOf(params: object): {
  readonly key: string;
  readonly namespace: readonly string[];
  readonly data: unknown;
} {
  const { namespace, data }: { namespace?: unknown; data?: unknown } = params;
  const segments = Array.isArray(namespace) ? namespace.map(String) : [];
  return { key: segments.join("|"), namespace: segments, data };
}

function idOf(data: unknown): unknown {
  return isJsonObject(data) ? data["id"] : undefined;
}

function digest(method: string, params: object): string {
  const { node, data }: { node?: unknown; data?: unknown } = params;
  return JSON.stringify([method, node, data]);
}
