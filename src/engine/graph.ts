/** The only place where a graph is called. */

import type { Execution, GraphInput, Outcome } from "../core/execution.ts";
import { INTERRUPT } from "../core/interrupts.ts";
import type { RunSettings } from "../core/run-kwargs.ts";
import { AppError } from "../errors.ts";
import { toCommand } from "./command.ts";
import { graphSpans } from "./graph-spans.ts";
import { toPlain } from "./plain.ts";
import { WireEvents, type Reading } from "./stream-events.ts";
import { projectTracer } from "./tracing.ts";

/** What a caller is told while a graph runs. */
export interface GraphListener {
  /** An event of a stream mode that was asked for; awaited. */
  readonly event: (event: string, data: unknown) => Promise<void>;
  /** The state was saved once more. */
  readonly superstep: () => void;
  /** How the graph is read, and told of; by default in the stream modes that were asked for. */
  readonly reading?: Reading | undefined;
}

/**
 * Runs the graph once.
 * @throws AppError `graph_failed`; `invalid_request` for an input that the graph refuses; the signal's reason
 */
export async function callGraph(execution: Execution, listener: GraphListener): Promise<Outcome> {
  const { graph, config, settings, signal, drain, streamModes } = execution;
  const { RunControl } = await import("@langchain/langgraph");
  const control = new RunControl();
  const requestDrain = (): void => control.requestDrain("handover");
  if (drain.aborted) requestDrain();
  drain.addEventListener("abort", requestDrain);
  const spans = graphSpans(signal);
  const result = new Result();
  let hasBegun = false;
  const nodeStarted = (): void => {
    hasBegun = true;
  };
  const options = {
    ...config,
    ...graphOptions(settings),
    signal,
    control,
    callbacks: [nodeWatcher(nodeStarted), ...spans.callbacks, ...(await projectTracer(config))],
  };
  const wishes = {
    modes: streamModes,
    subgraphs: settings.subgraphs ?? false,
    runId: String(config.configurable?.["run_id"]),
    hidden: execution.hidden,
  };
  const reading = listener.reading ?? new WireEvents(wishes);
  try {
    for await (const chunk of reading.read(graph, await graphInput(execution.input), options)) {
      if (chunk.mode === "values" && chunk.namespace.length === 0) {
        if (result.hasStarted) listener.superstep();
        result.add(chunk.data);
      }
      for (const { event, data } of reading.of(chunk)) await listener.event(event, toPlain(data));
    }
    signal.throwIfAborted();
    return result.outcome();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Error && error.name === "GraphDrained") return { status: "drained", output: null };
    throw hasBegun ? failure(error) : refusal(error, execution.input);
  } finally {
    spans.end();
    drain.removeEventListener("abort", requestDrain);
  }
}

/** Gathers the outcome from the values that go by. */
class Result {
  #values: unknown = undefined;
  /** Undefined while nothing has interrupted; empty when the run was asked to stop before or after a node. */
  #interrupts: unknown[] | undefined;

  get hasStarted(): boolean {
    return this.#values !== undefined;
  }

  add(values: unknown): void {
    if (isInterrupt(values)) this.#interrupts = [...(this.#interrupts ?? []), ...values[INTERRUPT]];
    else this.#values = values;
  }

  outcome(): Outcome {
    if (this.#interrupts === undefined) return { status: "success", output: toPlain(this.#values) };
    const values = typeof this.#values === "object" ? this.#values : {};
    return { status: "interrupted", output: toPlain({ ...values, [INTERRUPT]: this.#interrupts }) };
  }
}

async function graphInput(input: GraphInput): Promise<unknown> {
  if ("resume" in input) return null;
  if ("input" in input) return input.input;
  return toCommand(input.command);
}

function graphOptions(settings: RunSettings): object {
  const { context, interrupt_before, interrupt_after, durability } = settings;
  return {
    ...(context === undefined ? {} : { context }),
    ...(interrupt_before === undefined ? {} : { interruptBefore: interrupt_before }),
    ...(interrupt_after === undefined ? {} : { interruptAfter: interrupt_after }),
    ...(durability === undefined ? {} : { durability }),
  };
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
