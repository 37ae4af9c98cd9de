/** What callers ask of runs that are there: to see them, to stop them, to delete them. */

import { AppError } from "../errors.ts";
import { isEverything, type Caller, type Scope } from "./auth.ts";
import type { Graph } from "./graphs.ts";
import type { CancelAction } from "./model.ts";
import { foundOn, type Found } from "./paging.ts";
import type { RunPage, RunRecord, RunSelection } from "./ports.ts";
import { cancelRuns, type CancelDeps, type RunDeps } from "./runs.ts";

/** Where a run is looked for; on any thread, if none is named. */
export interface RunPlace {
  readonly threadId?: string | undefined;
  readonly runId: string;
}

/** What a caller is about to do to a run. */
export type RunAccess =
  | { readonly to: "read" }
  | { readonly to: "cancel"; readonly action: CancelAction }
  | { readonly to: "delete" };

/** A run, and what of the runs the caller reaches for this. */
export interface ReachedRun {
  /** Null when there is none, or not for the caller. */
  readonly run: RunRecord | null;
  readonly scope: Scope;
}

/** @throws AppError `forbidden` */
export async function lookForRun(
  { runs }: Pick<RunDeps, "runs">,
  caller: Caller,
  { runId, threadId, ...access }: RunPlace & RunAccess,
): Promise<ReachedRun> {
  const scope = await reachOf(caller, { runId, threadId }, access);
  const run = await runs.get(runId, scope);
  const isThere = threadId === undefined || run?.thread_id === threadId;
  return { run: isThere ? run : null, scope };
}

async function reachOf(caller: Caller, { threadId, runId }: RunPlace, access: RunAccess): Promise<Scope> {
  const thread_id = threadId ?? null;
  switch (access.to) {
    case "read":
      return (await caller.authorize("threads:read", { thread_id, run_id: runId })).scope;
    case "delete":
      return (await caller.authorize("threads:delete", { thread_id, run_id: runId })).scope;
    case "cancel": {
      const { action } = access;
      const value = { thread_id, action, metadata: { run_ids: [runId] } };
      return (await caller.authorize("threads:update", value)).scope;
    }
  }
}

/** @throws AppError `not_found`, also for a run that is out of reach; `forbidden` */
export async function findRun(
  deps: Pick<RunDeps, "runs">,
  caller: Caller,
  asked: RunPlace & RunAccess,
): Promise<ReachedRun & { readonly run: RunRecord }> {
  const { run, scope } = await lookForRun(deps, caller, asked);
  if (run !== null) return { run, scope };
  const { runId, threadId } = asked;
  const where = threadId === undefined ? "" : ` in thread '${threadId}'`;
  throw new AppError("not_found", `Run '${runId}' not found${where}`);
}

/** That the caller may also stop a run that it reads. @throws AppError `not_found`, `forbidden` */
export async function checkMayCancel(
  { runs }: Pick<RunDeps, "runs">,
  caller: Caller,
  { runId, threadId }: RunPlace,
): Promise<void> {
  const scope = await reachOf(caller, { runId, threadId }, { to: "cancel", action: "interrupt" });
  if (!isEverything(scope) && (await runs.get(runId, scope)) === null)
    throw new AppError("not_found", `Run '${runId}' not found`);
}

/** A run of a graph. @throws AppError `not_found`, `forbidden` */
export async function getRun(
  deps: Pick<RunDeps, "runs">,
  caller: Caller,
  graph: Graph,
  runId: string,
): Promise<RunRecord> {
  return (await findGraphRun(deps, caller, graph, { runId, to: "read" })).run;
}

/** Asks a run of a graph to stop; one that has ended stays as it is. @throws AppError `not_found`, `forbidden` */
export async function cancelRun(
  deps: CancelDeps,
  caller: Caller,
  graph: Graph,
  runId: string,
): Promise<RunRecord> {
  const asked = { runId, to: "cancel", action: "interrupt" } as const;
  const { run, scope } = await findGraphRun(deps, caller, graph, asked);
  await cancelRuns(deps, { scope, runIds: [run.run_id] }, asked.action);
  return run;
}

async function findGraphRun(
  deps: Pick<RunDeps, "runs">,
  caller: Caller,
  graph: Graph,
  asked: RunPlace & RunAccess,
): ReturnType<typeof findRun> {
  const found = await findRun(deps, caller, asked);
  if (found.run.graph_id !== graph.name)
    throw new AppError("not_found", `Run '${found.run.run_id}' not found`);
  return found;
}

/** A page of the thread's runs, the newest first; none of a thread that is out of reach. @throws AppError `forbidden` */
export async function listRuns(
  { runs }: Pick<RunDeps, "runs">,
  caller: Caller,
  threadId: string,
  page: RunPage,
): Promise<Found<RunRecord>> {
  const { status } = page;
  const asked = { thread_id: threadId, ...(status === undefined ? {} : { status }) };
  const { scope } = await caller.authorize("threads:search", asked);
  const [found, total] = await Promise.all([
    runs.list(threadId, scope, page),
    runs.count(threadId, scope, status),
  ]);
  return foundOn(page, found, total);
}

/** Stops all that fit, of those that the caller reaches. @throws AppError `forbidden` */
export async function cancelMany(
  deps: CancelDeps,
  caller: Caller,
  { threadId, runIds, status }: Omit<RunSelection, "scope">,
  action: CancelAction,
): Promise<void> {
  const { scope } = await caller.authorize("threads:update", {
    thread_id: threadId ?? null,
    action,
    metadata: { run_ids: runIds ?? null, status: status ?? null },
  });
  await cancelRuns(deps, { scope, threadId, runIds, status }, action);
}

/** Deletes a run that is over. @throws AppError `thread_busy` */
export async function deleteRun(
  { runs }: Pick<RunDeps, "runs">,
  { run, scope }: Pick<ReachedRun, "scope"> & { readonly run: RunRecord },
): Promise<void> {
  if (!(await runs.remove(run, scope)))
    throw new AppError("thread_busy", `Run '${run.run_id}' is active; cancel it first`);
}
