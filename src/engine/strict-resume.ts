/** Answers that the thread does not wait for. LangGraph overlooks them; who asks for it strictly is told instead. */

import { isCheckpointer } from "./left-state.ts";
import type { CompiledGraph } from "../core/graphs.ts";
import type { GraphConfig } from "../core/config.ts";
import { INTERRUPT_ID } from "../core/interrupts.ts";
import { isJsonObject } from "../core/model.ts";
import type { Command } from "../core/run-kwargs.ts";
import { AppError } from "../errors.ts";

/** @throws AppError `UnknownInterruptError` */
export async function checkResume(
  graph: CompiledGraph,
  config: GraphConfig,
  { resume }: Command,
): Promise<void> {
  if (resume === undefined) return;
  const { tasks = [] } = isCheckpointer(graph.checkpointer) ? await graph.getState(config) : {};
  const waiting = tasks.flatMap(({ interrupts = [] }) => interrupts.map(({ id }) => id));
  if (waiting.length === 0) throw unknown("The thread waits at no interrupt");
  const stray = answeredIds(resume).find((id) => !waiting.includes(id));
  if (stray !== undefined) throw unknown(`The thread does not wait at interrupt '${stray}'`);
}

function answeredIds(resume: unknown): readonly string[] {
  const ids = isJsonObject(resume) ? Object.keys(resume) : [];
  return ids.every((id) => INTERRUPT_ID.test(id)) ? ids : [];
}

function unknown(message: string): AppError {
  return new AppError("UnknownInterruptError", message);
}

/** A thread whose answer was refused is what it was before. */
export function leftWaiting(interrupts: unknown): "interrupted" | "idle" {
  return isJsonObject(interrupts) && Object.keys(interrupts).length > 0 ? "interrupted" : "idle";
}
