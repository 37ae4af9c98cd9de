/** Runs a graph once: the only place where a graph is called. */

import type { Execution, Outcome, RunEvent, RunInput } from "../core/ports.ts";
import { AppError } from "../errors.ts";
import { toPlain } from "./plain.ts";

const INTERRUPT = "__interrupt__";

/** @see Engine.execute for the promise. */
export async function execute(execution: Execution, emit: (event: RunEvent) => Promise<void>): Promise<Outcome> {
  const { graph, config, context, signal, streamMode } = execution;
  let started = false;
  try {
    const chunks = await graph.stream(await graphInput(execution.input), {
      ...config,
      ...(context === undefined ? {} : { context }),
      signal,
      // "values" always, for the outcome; what was not asked for is not emitted
      streamMode: streamMode === "values" ? ["values"] : [streamMode, "values"],
    });
    const result = new Result();
    for await (const chunk of chunks) {
      started = true;
      const [mode, data] = parseChunk(chunk);
      if (mode === "values") result.add(data);
      if (mode === streamMode) await emit({ mode: streamMode, data: toPlain(data) });
    }
    signal.throwIfAborted();
    return result.outcome();
  } catch (error) {
    signal.throwIfAborted();
    throw failure(error, started);
  }
}

/** Gathers the outcome from the values that go by. */
class Result {
  #values: unknown = undefined;
  #interrupts: unknown[] = [];

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

async function graphInput(input: RunInput): Promise<unknown> {
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
function parseChunk(chunk: unknown): readonly [mode: unknown, data: unknown] {
  if (!Array.isArray(chunk) || chunk.length !== 2) throw new TypeError("The graph emitted a chunk without a mode");
  return [chunk[0], chunk[1]];
}

/**
 * Ours pass through; an input that the graph refused before its first step is the client's mistake; the rest is the
 * graph's, whose own words stay in the log.
 * @see https://docs.langchain.com/oss/javascript/langgraph/errors
 */
function failure(error: unknown, started: boolean): AppError {
  if (error instanceof AppError) return error;
  const code = errorCode(error);
  if (!started && (code === "EmptyInputError" || code === "MESSAGE_COERCION_FAILURE")) {
    return new AppError("invalid_request", "input: the graph cannot take it; its schema is in the OpenAPI document", { cause: error });
  }
  if (code === "GRAPH_RECURSION_LIMIT") {
    return new AppError("graph_failed", "Graph execution failed: it reached its recursion limit", { cause: error });
  }
  return new AppError("graph_failed", "Graph execution failed", { cause: error });
}

function errorCode(error: unknown): unknown {
  if (!(error instanceof Error)) return undefined;
  return "lc_error_code" in error && error.lc_error_code !== undefined ? error.lc_error_code : error.name;
}

function isInterrupt(values: unknown): values is { readonly [INTERRUPT]: readonly unknown[] } {
  return typeof values === "object" && values !== null && INTERRUPT in values && Array.isArray(values[INTERRUPT]);
}
