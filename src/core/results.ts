/** How runs end, for those who wait: executed here, executing elsewhere, or over long ago. */

import { AppError } from "../errors.ts";
import { EVERYTHING } from "./auth.ts";
import type { Engine, Executed, Outcome } from "./execution.ts";
import { INTERRUPT } from "./interrupts.ts";
import { isJsonObject, type JsonObject, type RunEvent, type RunRef } from "./model.ts";
import type { NewRun, RunStore } from "./ports.ts";

export interface ResultDeps {
  readonly runs: RunStore;
  readonly engine: Engine;
}

/**
 * The end of a run that was executed, or is executing elsewhere.
 * @throws AppError why it failed; `unavailable` when it goes on longer than the signal allows
 */
export async function outcomeOf(
  deps: Pick<ResultDeps, "engine">,
  run: NewRun,
  executed: Executed | null,
  signal: AbortSignal,
): Promise<Outcome> {
  if (executed?.kind === "ended") return executed.outcome;
  if (executed?.kind === "failed") throw executed.error;
  if (executed?.kind === "cancelled") throw new AppError("run_cancelled", "The run was cancelled");
  const output = await lastOutput(deps.engine.follow(run, 0, signal));
  if (signal.aborted) throw new AppError("unavailable", GOES_ON);
  if (output === undefined) throw new AppError("run_cancelled", "The run was cancelled or deleted");
  return { status: isJsonObject(output) && INTERRUPT in output ? "interrupted" : "success", output };
}

/** Why there is no end of a run to tell of. */
export const GOES_ON = "The run goes on in the background; ask for the thread's state";

/** The state that a run streamed last; undefined for none. @throws AppError when it failed */
async function lastOutput(events: AsyncIterable<RunEvent>): Promise<unknown> {
  let output: unknown;
  for await (const { event, data } of events) {
    const chunk: unknown = JSON.parse(data);
    if (event === "error") throw failure(chunk);
    if (event === "values") output = laidOver(output, chunk);
  }
  return output;
}

/** Values that say what a run waits for say nothing else. */
function laidOver(last: unknown, values: unknown): unknown {
  return isJsonObject(values) && INTERRUPT in values ? { ...asObject(last), ...values } : values;
}

function asObject(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}

/** Of the event that tells of it; the cause was logged where the run executed. */
function failure(event: unknown): AppError {
  const { message } = asObject(event);
  return new AppError("graph_failed", String(message), { errorId: "in the message" });
}

export type RunResult =
  | { readonly kind: "values"; readonly values: unknown }
  | { readonly kind: "failed"; readonly error: { readonly error: string; readonly message: string } };

/**
 * What a run that is within reach has come to, when it has ended or the signal aborts: the last values that it streamed, also when it was
 * stopped; without any, those that its record or its thread has.
 */
export async function resultOf(
  { engine, runs }: ResultDeps,
  run: RunRef,
  signal: AbortSignal,
  threadValues: () => Promise<unknown>,
): Promise<RunResult> {
  let last: unknown;
  for await (const { event, data } of engine.follow(run, 0, signal)) {
    if (event === "error") return { kind: "failed", error: shownError(JSON.parse(data)) };
    if (event === "values") last = laidOver(last, JSON.parse(data));
  }
  if (last !== undefined || signal.aborted) return { kind: "values", values: last };
  const record = await runs.get(run.run_id, EVERYTHING);
  if (record?.status === "error")
    return { kind: "failed", error: { error: "graph_failed", message: record.error ?? "The run failed" } };
  return { kind: "values", values: record?.output ?? (await threadValues()) };
}

/** What an execution here has come to; null when the run goes on, or was stopped, and its log tells. */
export function resultHere(executed: Executed | null): RunResult | null {
  if (executed?.kind === "ended") return { kind: "values", values: executed.outcome.output };
  if (executed?.kind !== "failed") return null;
  const { code, message } = executed.error;
  return { kind: "failed", error: { error: code, message } };
}

function shownError(event: unknown): { readonly error: string; readonly message: string } {
  const { error, message } = asObject(event);
  return { error: String(error), message: String(message) };
}
