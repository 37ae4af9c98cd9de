/** The spans of a graph's supersteps and nodes, by LangChain's callbacks. */

import { isJsonObject } from "../core/model.ts";
import { currentSpan, moment, type Span } from "../telemetry.ts";

export interface GraphSpans {
  /** For the graph's config; none where nobody looks, as callbacks cost something. */
  readonly callbacks: readonly object[];
  /** Ends the spans of what was broken off. */
  readonly end: () => void;
}

/** `signal` is what stops the graph: what ends by it has not failed. */
export function graphSpans(signal: AbortSignal): GraphSpans {
  const run = currentSpan();
  if (!run.isRecording) return { callbacks: [], end: () => undefined };
  const handler = new SpanHandler(run, signal);
  return { callbacks: [handler], end: () => handler.end() };
}

interface Superstep {
  readonly step: number;
  readonly span: Span;
  /** The end of its last node so far. */
  endedAt: number;
}

interface Node {
  readonly span: Span;
  readonly superstep: Superstep;
  readonly namespace: string;
}

const STOPPED = { "langgraph.status": "stopped" };

/** LangGraph tags the run of a node itself, and not what the node calls. */
const STEP_TAG = /^graph:step:(-?\d+)$/;

/** Graphs and nodes are runs of LangChain; a node's parent is its graph, and its namespace tells of the nodes around it. */
class SpanHandler {
  readonly name = "langgraph-functions-spans";
  readonly awaitHandlers = true;
  readonly #run: Span;
  readonly #signal: AbortSignal;
  /** By the graph's run. */
  readonly #supersteps = new Map<string, Superstep>();
  /** By the node's run. */
  readonly #nodes = new Map<string, Node>();
  /** By the node's namespace. */
  readonly #spans = new Map<string, Span>();

  constructor(run: Span, signal: AbortSignal) {
    this.#run = run;
    this.#signal = signal;
  }

  handleChainStart(...[, , runId, graphId, tags, metadata]: readonly unknown[]): void {
    const step = stepOf(tags);
    if (step === undefined || !isJsonObject(metadata)) return;
    const { langgraph_node: node, langgraph_checkpoint_ns: namespace = "" } = metadata;
    if (typeof node !== "string" || node === "__start__") return;
    const superstep = this.#superstep(String(graphId), step, parentOf(String(namespace)));
    const attributes = { "langgraph.node": node, "langgraph.step": step };
    const span = superstep.span.child(`node ${node}`, attributes);
    this.#nodes.set(String(runId), { span, superstep, namespace: String(namespace) });
    this.#spans.set(String(namespace), span);
  }

  handleChainEnd(...[, runId]: readonly unknown[]): void {
    this.#ended(String(runId));
  }

  handleChainError(...[error, runId]: readonly unknown[]): void {
    const node = this.#nodes.get(String(runId));
    if (isWish(error)) node?.span.set({ "langgraph.status": "interrupted" });
    else if (this.#signal.aborted) node?.span.set(STOPPED);
    else node?.span.fail(error);
    this.#ended(String(runId));
  }

  end(): void {
    for (const { span } of this.#nodes.values()) {
      span.set(STOPPED);
      span.end();
    }
    this.#nodes.clear();
    for (const graphId of this.#supersteps.keys()) this.#close(graphId);
  }

  #superstep(graphId: string, step: number, around: string): Superstep {
    const known = this.#supersteps.get(graphId);
    if (known?.step === step) return known;
    this.#close(graphId);
    const span = (this.#spans.get(around) ?? this.#run).child("superstep", { "langgraph.step": step });
    const superstep = { step, span, endedAt: moment() };
    this.#supersteps.set(graphId, superstep);
    return superstep;
  }

  /** Of a node, or of a graph: with it, its last superstep is over. */
  #ended(runId: string): void {
    const node = this.#nodes.get(runId);
    if (node === undefined) return this.#close(runId);
    const at = moment();
    node.span.end(at);
    node.superstep.endedAt = at;
    this.#nodes.delete(runId);
    this.#spans.delete(node.namespace);
  }

  /** Not when the first of its nodes is done: others of the superstep may start later. */
  #close(graphId: string): void {
    const superstep = this.#supersteps.get(graphId);
    superstep?.span.end(superstep.endedAt);
    this.#supersteps.delete(graphId);
  }
}

function stepOf(tags: unknown): number | undefined {
  if (!Array.isArray(tags)) return undefined;
  const [step] = tags.flatMap((tag) => STEP_TAG.exec(String(tag))?.[1] ?? []);
  return step === undefined ? undefined : Number(step);
}

/** `outer:id|inner:id` is below `outer:id`. */
function parentOf(namespace: string): string {
  return namespace.slice(0, Math.max(0, namespace.lastIndexOf("|")));
}

/** An interrupt, or a command for the graph around: no failure, though it is thrown. */
function isWish(error: unknown): boolean {
  return error instanceof Error && "is_bubble_up" in error && error.is_bubble_up === true;
}
