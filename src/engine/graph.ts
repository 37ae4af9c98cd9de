/** The only place where a graph is called. */

import {
  STREAM_MODES,
  type Execution,
  type GraphInput,
  type Outcome,
  type StreamMode,
} from "../core/ports.ts";
import { AppError } from "../errors.ts";
import { toPlain } from "./plain.ts";

const INTERRUPT = "__interrupt__";

/** What a caller is told while a graph runs. */
export interface GraphListener {
  /** A chunk of a stream mode that was asked for; awaited. */
  readonly chunk: (mode: StreamMode, data: unknown) => Promise<void>;
  /** The state was saved once more. */
  readonly superstep: () => void;
}

/**
 * Runs the graph once.
 * @throws AppError `graph_failed`; `invalid_request` for an input that the graph refuses; the signal's reason
 */
export async function callGraph(execution: Execution, listener: GraphListener): Promise<Outcome> {
  const { graph, config, context, signal, drain, streamModes } = execution;
  const { RunControl } = await import("@langchain/langgraph");
  const control = new RunControl();
  const requestDrain = (): void => control.requestDrain("handover");
  if (drain.aborted) requestDrain();
  drain.addEventListener("abort", requestDrain);
  const result = new Result();
  let hasBegun = false;
  const nodeStarted = (): void => {
    hasBegun = true;
  };
  try {
    const chunks = await graph.stream(await graphInput(execution.input), {
      ...config,
      ...(context === undefined ? {} : { context }),
      signal,
      control,
      callbacks: [nodeWatcher(nodeStarted)],
      streamMode: [...new Set<StreamMode>([...streamModes, "values"])], // values always, for the outcome
    });
    for await (const chunk of chunks) {
      const [mode, data] = parseChunk(chunk);
      if (mode === "values") {
        if (result.hasStarted) listener.superstep();
        result.add(data);
      }
      if (streamModes.includes(mode)) await listener.chunk(mode, toPlain(data));
    }
    signal.throwIfAborted();
    return result.outcome();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Error && error.name === "GraphDrained") return { status: "drained", output: null };
    throw hasBegun ? failure(error) : refusal(error, execution.input);
  } finally {
    drain.removeEventListener("abort", requestDrain);
  }
}

/** Gathers the outcome from the values that go by. */
class Result {
  #values: unknown = undefined;
  #interrupts: unknown[] = [];

  get hasStarted(): boolean {
    return this.#values !== undefined;
  }

  add(values: unknown): void {
    if (isInterrupt(values)) this.#interrupts.push(...values[INTERRUPT]);
    else this.#values = values;
  }

  outcome(): Outcome {
    if (this.#interrupts.length === 0) return { status: "success", output: toPlain(this.#values) };
    const values = typeof this.#values === "object" ? this.#values : {};
    return { status: "interrupted", output: toPlain({ ...values, [INTERRUPT]: this.#interrupts }) };
  }
}

async function graphInput(input: GraphInput): Promise<unknown> {
  if ("resume" in input) return null;
  if ("input" in input) return input.input;
  const { Command } = await import("@langchain/langgraph");
  const { resume, update, goto } = input.command;
  return new Command({
    ...(resume === undefined ? {} : { resume }),
    ...(update === undefined ? {} : { update }),
    ...(goto === undefined ? {} : { goto: [goto].flat() }),
  });
}

/** With a list of stream modes, a graph emits pairs of mode and data. */
function parseChunk(chunk: unknown): readonly [mode: StreamMode, data: unknown] {
  const pair: readonly unknown[] = Array.isArray(chunk) ? chunk : [];
  const [mode, data] = pair;
  const known = STREAM_MODES.find((name) => name === mode);
  if (known === undefined) throw new TypeError("The graph emitted a chunk without a mode");
  return [known, data];
}

/** A callback handler that tells when a node starts; LangGraph's own first one only takes the input apart. */
function nodeWatcher(onNode: () => void): object {
  return {
    name: "langgraph-functions",
    awaitHandlers: true, // in step with the graph, not some time later
    handleChainStart: (...[, , , , , metadata]: readonly unknown[]): void => {
      if (typeof metadata !== "object" || metadata === null || !("langgraph_node" in metadata)) return;
      if (metadata.langgraph_node !== "__start__") onNode();
    },
  };
}

/** Before any node has started, it is the input that the graph cannot take. */
function refusal(error: unknown, input: GraphInput): AppError {
  if (error instanceof AppError || "resume" in input) return failure(error);
  const field = "input" in input ? "input" : "command";
  return new AppError(
    "invalid_request",
    `${field}: the graph cannot take it; its schema is in the OpenAPI document`,
    { cause: error },
  );
}

/**
 * Ours pass through; the rest is the graph's, whose own words stay in the log.
 * @see https://docs.langchain.com/oss/javascript/langgraph/errors
 */
function failure(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (errorCode(error) === "GRAPH_RECURSION_LIMIT") {
    return new AppError("graph_failed", "Graph execution failed: it reached its recursion limit", {
      cause: error,
    });
  }
  return new AppError("graph_failed", "Graph execution failed", { cause: error });
}

function errorCode(error: unknown): unknown {
  if (!(error instanceof Error)) return undefined;
  return "lc_error_code" in error ? error.lc_error_code : undefined;
}

function isInterrupt(values: unknown): values is { readonly [INTERRUPT]: readonly unknown[] } {
  return (
    typeof values === "object" && values !== null && INTERRUPT in values && Array.isArray(values[INTERRUPT])
  );
}
