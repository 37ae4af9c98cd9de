/** From what a graph emits to the events of the protocol, with what the server adds: requests for input, and the root's lifecycle. */

import type { Clock } from "../clock.ts";
import type { CompiledGraph } from "../core/graphs.ts";
import { INTERRUPT } from "../core/interrupts.ts";
import { isJsonObject } from "../core/model.ts";
import type { ClaimedRun, EventLog } from "../core/ports.ts";
import { logName, parseEvent, rootLifecycle, type AgentStatus } from "../core/protocol.ts";
import { toPlain } from "./plain.ts";
import { PastEvents } from "./protocol-past.ts";
import { readProtocol } from "./protocol-stream.ts";
import { shownTask, type Reading } from "./stream-events.ts";
import type { GraphChunk, WireEvent } from "./stream.ts";

/** A chunk as `readProtocol` gives it. */
interface Chunk extends GraphChunk {
  readonly timestamp?: number;
  readonly node?: string;
}

export interface ProtocolDeps {
  readonly clock: Clock;
  readonly events: EventLog;
}

/** The run's events, if it was started by a command; they go on where those of a former executor end. */
export async function protocolEvents(
  { clock, events }: ProtocolDeps,
  run: ClaimedRun,
): Promise<ProtocolEvents | undefined> {
  if (run.kwargs.protocol === undefined) return undefined;
  const past = new PastEvents();
  for (let after = run.kwargs.protocol.after; run.claims > 1;) {
    const page = await events.read(run, after);
    for (const event of page.events) {
      const parsed = parseEvent(event);
      if (parsed !== null) past.add(parsed.method, parsed.params);
    }
    const newest = page.events.at(-1);
    if (newest === undefined) break;
    after = newest.seq;
  }
  return new ProtocolEvents(clock, run.graph_id, past);
}

export class ProtocolEvents implements Reading {
  readonly #clock: Clock;
  readonly #graphName: string;
  readonly #past: PastEvents;
  #last: readonly WireEvent[] = [];

  constructor(clock: Clock, graphName: string, past: PastEvents) {
    this.#clock = clock;
    this.#graphName = graphName;
    this.#past = past;
  }

  read(
    graph: CompiledGraph,
    input: unknown,
    options: { readonly callbacks: readonly object[] },
  ): AsyncIterable<GraphChunk> {
    return readProtocol(graph, input, options);
  }

  *begin(): Generator<WireEvent> {
    if (!this.#past.hasBegun) yield rootLifecycle("running", this.#graphName, this.#clock.now());
  }

  /** The events that tell of the run's end; none before `end`. */
  get last(): readonly WireEvent[] {
    return this.#last;
  }

  /** Subgraphs that were not seen to end do so with the graph. */
  end(status: AgentStatus, error?: string): void {
    const subgraphs = this.#past
      .openSubgraphs()
      .map(({ namespace, graph_name }) =>
        this.#event("lifecycle", { namespace, mode: "lifecycle", data: { event: status, graph_name } }),
      );
    this.#last = [...subgraphs, rootLifecycle(status, this.#graphName, this.#clock.now(), error)];
  }

  *of(chunk: Chunk): Generator<WireEvent> {
    for (const event of this.#all(chunk)) {
      const { method, params } = event;
      if (method !== undefined && this.#past.has(method, params)) continue;
      yield { event: event.event, data: params };
    }
  }

  *#all(chunk: Chunk): Generator<LoggedEvent> {
    const { mode, namespace, node, data } = chunk;
    if (mode === "lifecycle") {
      // Those that fail do so because the graph stops, which may be to go on elsewhere.
      const failed = isJsonObject(data) && data["event"] === "failed";
      if (namespace.length > 0 && !failed) yield this.#event(mode, chunk);
    } else if (mode === "values") {
      yield* this.#values(chunk);
    } else if (mode === "updates") {
      const { values } = isJsonObject(data) ? data : {};
      if (node === INTERRUPT) yield* this.#requests(chunk, values);
      else yield this.#event(mode, { ...chunk, data: values });
    } else if (mode.startsWith("custom:")) {
      const name = mode.slice("custom:".length);
      yield this.#event("custom", { ...chunk, data: { name, payload: data } });
    } else if (mode === "tasks") {
      yield this.#event(mode, { ...chunk, data: isJsonObject(data) ? shownTask(data) : data });
    } else {
      yield this.#event(mode, chunk);
    }
  }

  /** Interrupts are no part of the state here; readers of the first version expect them there. */
  *#values(chunk: Chunk): Generator<LoggedEvent> {
    if (!isJsonObject(chunk.data)) {
      yield this.#event("values", chunk);
      return;
    }
    const { [INTERRUPT]: interrupts, ...state } = chunk.data;
    yield* this.#requests(chunk, interrupts);
    if (interrupts !== undefined && chunk.namespace.length === 0)
      yield { event: "values", params: { [INTERRUPT]: interrupts } };
    if (Object.keys(state).length > 0) yield this.#event("values", { ...chunk, data: state });
  }

  *#requests(chunk: Chunk, interrupts: unknown): Generator<LoggedEvent> {
    const all: readonly unknown[] = Array.isArray(interrupts) ? interrupts : [];
    for (const interrupt of all) {
      if (!isJsonObject(interrupt) || typeof interrupt["id"] !== "string") continue;
      const data = { interrupt_id: interrupt["id"], payload: interrupt["value"] };
      yield this.#event("input.requested", { ...chunk, node: undefined, data });
    }
  }

  #event(
    method: string,
    { namespace, timestamp, node, data }: Omit<Chunk, "node"> & { readonly node?: string | undefined },
  ): LoggedEvent & { readonly data: unknown } {
    const params = {
      namespace,
      timestamp: timestamp ?? this.#clock.now().getTime(),
      ...(node === undefined ? {} : { node }),
      data: toPlain(data),
    };
    return { event: logName(method, params), method, params, data: params };
  }
}

interface LoggedEvent {
  readonly event: string;
  /** Of the protocol; undefined for an event of the first version. */
  readonly method?: string;
  readonly params: object;
}
