/** Where LangSmith is told of a run, besides the project that the environment names. */

import type { GraphConfig } from "../core/graphs.ts";

/** As the environment variables of LangSmith have it. @see https://docs.langchain.com/langsmith/trace-with-langgraph */
const SWITCHES = ["LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING_V2", "LANGSMITH_TRACING", "LANGCHAIN_TRACING"];

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
