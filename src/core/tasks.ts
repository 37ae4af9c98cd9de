/** Runs as tasks of other agents: a task is a run on a thread, and what goes on with it once it has been answered. */

import { AppError } from "../errors.ts";
import { EVERYTHING, type Caller, type Scope } from "./auth.ts";
import type { RunRecord, RunStore } from "./ports.ts";
import { lookForRun, type RunAccess } from "./run-access.ts";
import type { RunAssistant } from "./run-assistants.ts";
import type { ThreadStore } from "./thread-store.ts";
import { UUID } from "./uuid.ts";

/** In the words of A2A. */
export type TaskState = "submitted" | "working" | "input-required" | "completed" | "canceled" | "failed";

/** The run that a task has come to. */
export interface TaskRun {
  readonly run: RunRecord;
  /** What it waits for; nothing once its thread has gone on without an answer. */
  readonly interrupts: readonly unknown[];
}

export interface TaskDeps {
  readonly runs: RunStore;
  readonly threads: ThreadStore;
}

/** In a run's metadata: the task that it goes on with. */
export const TASK_ID = "a2a_task_id";

/** The id of the run that began it. */
export function taskIdOf({ run_id, metadata }: Pick<RunRecord, "run_id" | "metadata">): string {
  const id = metadata[TASK_ID];
  return typeof id === "string" ? id : run_id;
}

export function taskStateOf({ run, interrupts }: TaskRun): TaskState {
  switch (run.status) {
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
      return interrupts.length > 0 ? "input-required" : "canceled";
  }
}

/** Answers to one task. */
const MOST_ANSWERS = 100;

/** A task, for what the caller wants to do with it. @throws AppError `not_found`, also for another assistant's; `forbidden` */
export async function findTask(
  deps: TaskDeps,
  caller: Caller,
  { assistant_id, taskId, ...access }: AskedTask,
): Promise<FoundTask> {
  const none = { run: null, scope: EVERYTHING };
  const { run: begun, scope } = UUID.test(taskId)
    ? await lookForRun(deps, caller, { ...access, runId: taskId })
    : none;
  if (begun === null || begun.assistant_id !== assistant_id)
    throw new AppError("not_found", `Task '${taskId}' not found`);
  if (begun.status !== "interrupted") return { run: begun, interrupts: [], scope };
  const later = await deps.runs.list(begun.thread_id, scope, { limit: MOST_ANSWERS, offset: 0 });
  const newest = later.find((run) => taskIdOf(run) === taskId) ?? begun;
  return { ...(await taskRunOf(deps, newest, scope)), scope };
}

export type AskedTask = Pick<RunAssistant, "assistant_id"> & { readonly taskId: string } & RunAccess;

export interface FoundTask extends TaskRun {
  /** What of the runs the caller reaches for this. */
  readonly scope: Scope;
}

export async function taskRunOf({ runs, threads }: TaskDeps, run: RunRecord, scope: Scope): Promise<TaskRun> {
  if (run.status !== "interrupted") return { run, interrupts: [] };
  const [newest] = await runs.list(run.thread_id, scope, { limit: 1, offset: 0 });
  const thread = newest?.run_id === run.run_id ? await threads.get(run.thread_id, scope) : null;
  return { run, interrupts: Object.values(thread?.interrupts ?? {}).flat() };
}
