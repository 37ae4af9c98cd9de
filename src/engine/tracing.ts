/** Where LangSmith is told of a run, besides the project that the environment names. */

import { waitAtMost } from "../bounded-wait.ts";
import type { Clock } from "../clock.ts";
import type { GraphConfig } from "../core/config.ts";

/** A LangSmith that is away must not make every invocation longer by more than this. */
const MAX_FLUSH_MS = 5_000;

/** As the environment variables of LangSmith have it. @see https://docs.langchain.com/langsmith/trace-with-langgraph */
const SWITCHES = ["LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING_V2", "LANGSMITH_TRACING", "LANGCHAIN_TRACING"];

/**
 * Waits until LangChain's callbacks, which go on in the background, and the traces that they have left are delivered or
 * lost. LangChain must have been loaded already, or this takes as long as that. Never rejects.
 */
export async function flushTraces(clock: Clock, signal: AbortSignal): Promise<void> {
  const { awaitAllCallbacks } = await import("@langchain/core/callbacks/promises");
  // The callbacks that the first one waits for may leave traces after it has looked at those.
  const flushed = awaitAllCallbacks().then(awaitAllCallbacks);
  await waitAtMost(MAX_FLUSH_MS, flushed, { clock, signal });
}

/** A callback handler that tells LangSmith of the run in the project that its config names; nothing where tracing is off. */
export async function projectTracer({ configurable }: GraphConfig): Promise<readonly object[]> {
  const project = configurable?.["langsmith_project"];
  const example = configurable?.["langsmith_example_id"];
  if (typeof project !== "string" && typeof example !== "string") return [];
  const [{ getEnvironmentVariable }, { LangChainTracer }] = await Promise.all([
    import("@langchain/core/utils/env"),
    import("@langchain/core/tracers/tracer_langchain"),
  ]);
  if (!SWITCHES.some((name) => getEnvironmentVariable(name) === "true")) return [];
  const { projectName = "default" } = new LangChainTracer();
  const told = typeof project === "string" ? project : projectName;
  const replicas: [string, Record<string, unknown> | undefined][] = [
    [told, typeof example === "string" ? { reference_example_id: example } : undefined],
  ];
  if (told !== projectName) replicas.push([projectName, undefined]);
  return [new LangChainTracer({ replicas })];
}
