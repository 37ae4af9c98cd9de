/** Runs as tasks of other agents: a task is a run on a thread, and what goes on with it once it has been answered. */

import { AppError } from "../errors.ts";
import { isJsonObject } from "./model.ts";
import type { RunRecord, RunStore } from "./ports.ts";
import type { RunAssistant } from "./run-assistants.ts";

/** In the words of A2A. */
export type TaskState = "submitted" | "working" | "input-required" | "completed" | "canceled" | "failed";

/** In a run's metadata: the task that it goes on with. */
export const TASK_ID = "a2a_task_id";

/** The id of the run that began it. */
export function taskIdOf({ run_id, metadata }: Pick<RunRecord, "run_id" | "metadata">): string {
  const id = metadata[TASK_ID];
  return typeof id === "string" ? id : run_id;
}

export function taskStateOf({ status, output }: RunRecord): TaskState {
  switch (status) {
    case "pending":
      return "submitted";
    case "running":
      return "working";
    case "success":
      return "completed";
    case "error":
    case "timeout":
      return "failed";
    case "interrupted":
      return isJsonObject(output) && "__interrupt__" in output ? "input-required" : "canceled";
  }
}

/** Answers to one task. */
const MOST_ANSWERS = 100;

/** The run that a task has come to. @throws AppError `not_found`, also for another assistant's */
export async function findTask(
  { runs }: { readonly runs: RunStore },
  { assistant_id }: Pick<RunAssistant, "assistant_id">,
  taskId: string,
): Promise<RunRecord> {
  const begun = UUID.test(taskId) ? await runs.get(taskId) : null;
  if (begun === null || begun.assistant_id !== assistant_id)
    throw new AppError("not_found", `Task '${taskId}' not found`);
  if (begun.status !== "interrupted") return begun;
  const later = await runs.list(begun.thread_id, { limit: MOST_ANSWERS, offset: 0 });
  return later.find((run) => taskIdOf(run) === taskId) ?? begun;
}

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;
