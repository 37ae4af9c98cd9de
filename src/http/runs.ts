/** The Platform's run endpoints. @see https://docs.langchain.com/langsmith/server-api-ref */

import { z } from "zod";
import { allowedTo, isEverything, type Caller, type Scope } from "../core/auth.ts";
import type { Graph } from "../core/graphs.ts";
import type { AuthLevel, Invocation, RunRef, RunStatus } from "../core/model.ts";
import type { RunRecord } from "../core/ports.ts";
import {
  cancelMany,
  checkMayCancel,
  deleteRun,
  findRun,
  listRuns,
  lookForRun,
  type RunAccess,
} from "../core/run-access.ts";
import { cancelRuns } from "../core/runs.ts";
import { shownKwargs } from "../core/run-kwargs.ts";
import { takeSign } from "../core/sign-of-life.ts";
import { checkThreadId } from "../core/threads.ts";
import { AppError } from "../errors.ts";
import { requireLevel } from "./authenticate.ts";
import { parse, readObject } from "./body.ts";
import { platformRoute } from "./platform-route.ts";
import { queryOf } from "./query.ts";
import { json, noContent, pageOf } from "./respond.ts";
import type { Call, Route } from "./router.ts";
import {
  createAndStream,
  createAndWait,
  createBatch,
  createInBackground,
  type RunsDeps,
} from "./runs-create.ts";
import { awaitEnd, awaitRun, streamRun } from "./runs-response.ts";
import { goOn, signOfLife } from "./sign-of-life.ts";
import {
  batchDocs,
  cancelDocs,
  cancelManyDocs,
  createDocs,
  deleteDocs,
  ERRORS,
  getDocs,
  joinDocs,
  listDocs,
  streamDocs,
} from "./runs-docs.ts";
import * as schemas from "./runs-schemas.ts";

const THREAD = "/threads/{thread_id}/runs";
const RUN = `${THREAD}/{run_id}`;
/** When asking again whether a run has ended may make sense. */
const RETRY_SECONDS = 5;

export function runRoutes(deps: RunsDeps, authLevel: AuthLevel): readonly Route[] {
  const route = platformRoute(authLevel, "runs", ERRORS);
  const createRoutes = (path: string, where: string): readonly Route[] => [
    route(`POST ${path}`, `Run in the background${where}`, {
      ...createDocs(path, ""),
      handle: createInBackground(deps),
    }),
    route(`POST ${path}/wait`, `Run, and wait for the end${where}`, {
      ...createDocs(path, "wait"),
      handle: createAndWait(deps),
    }),
    route(`POST ${path}/stream`, `Run, and stream${where}`, {
      ...createDocs(path, "stream"),
      handle: createAndStream(deps),
    }),
  ];
  const stream = { handle: joinStream(deps) };
  return [
    ...createRoutes(THREAD, ""),
    ...createRoutes("/runs", ", on a temporary thread"),
    route("POST /runs/batch", "Run many in the background, each on a temporary thread", {
      ...batchDocs,
      handle: createBatch(deps),
    }),
    route("POST /runs/cancel", "Stop runs", { ...cancelManyDocs, handle: stopMany(deps) }),
    route(`GET ${THREAD}`, "List the runs of a thread, the newest first", {
      ...listDocs,
      handle: list(deps),
    }),
    route(`GET ${RUN}`, "Get a run", {
      ...getDocs,
      handle: async (call) => json(shown((await find(deps, call, { to: "read" })).run)),
    }),
    route(`DELETE ${RUN}`, "Delete a run that is over", { ...deleteDocs, handle: remove(deps) }),
    route(`POST ${RUN}/cancel`, "Stop a run", { ...cancelDocs, handle: cancel(deps) }),
    route(`GET ${RUN}/join`, "Wait for a run", { ...joinDocs, handle: join(deps) }),
    route(`GET ${RUN}/stream`, "Stream a run", { ...streamDocs("stream_join"), ...stream }),
    route("GET /runs/{run_id}/stream", "Stream a run", { ...streamDocs("stream_join_stateless"), ...stream }),
  ];
}

function list(deps: RunsDeps): Route["handle"] {
  return async ({ params, request, caller }) => {
    const { limit, offset, status, select } = await parse(schemas.ListQuery, queryOf(request));
    const threadId = checkThreadId(params["thread_id"]);
    const found = await listRuns(deps, caller, threadId, { limit, offset, status });
    return pageOf(found, (run) => (select === undefined ? shown(run) : pick(shown(run), select)));
  };
}

function remove(deps: RunsDeps): Route["handle"] {
  return async (call) => {
    await deleteRun(deps, await find(deps, call, { to: "delete" }));
    return noContent();
  };
}

function cancel(deps: RunsDeps): Route["handle"] {
  return async (call) => {
    const { wait, action = "interrupt", reason } = await parse(schemas.CancelQuery, queryOf(call.request));
    const { run, scope } = await find(deps, call, { to: "cancel", action });
    if (wait === true) await call.hold();
    await cancelRuns(deps, { scope, runIds: [run.run_id] }, action, reason);
    if (wait !== true) return json({}, 202);
    if (!(await awaitEnd(deps, run, call.invocation)))
      throw new AppError("unavailable", `Run '${run.run_id}' is asked to stop, but has not ended yet`, {
        retryAfterSeconds: RETRY_SECONDS,
      });
    return noContent();
  };
}

function stopMany(deps: RunsDeps): Route["handle"] {
  return async ({ request, caller }) => {
    const { action } = await parse(schemas.CancelManyQuery, queryOf(request));
    const sent = await parse(schemas.CancelMany, await readObject(request, deps.limits));
    const { thread_id, run_ids, status } = sent;
    await cancelMany(
      deps,
      caller,
      {
        threadId: thread_id ?? undefined,
        runIds: run_ids ?? undefined,
        status: status == null || status === "all" ? undefined : status,
      },
      action ?? "interrupt",
    );
    return noContent();
  };
}

function join(deps: RunsDeps): Route["handle"] {
  return async (call) => {
    const query = await parse(schemas.JoinQuery, queryOf(call.request));
    const cancelOnDisconnect = query.cancel_on_disconnect ?? false;
    const { graph, caller, ...run } = await findLogged(deps, call, cancelOnDisconnect);
    await call.hold();
    const { invocation } = call;
    if (cancelOnDisconnect) await takeSign(deps, invocation, run.run_id);
    const headers = { location: locationOf(call, query) };
    return awaitRun(deps, { run, caller, invocation, cancelOnDisconnect, headers }, graph);
  };
}

function joinStream(deps: RunsDeps): Route["handle"] {
  return async (call) => {
    const query = await parse(schemas.JoinStreamQuery, queryOf(call.request, ["namespace"]));
    const cancelOnDisconnect = query.cancel_on_disconnect ?? false;
    const { caller, ...run } = await findLogged(deps, call, cancelOnDisconnect);
    const lastId = await lastEventId(call.request);
    await call.hold();
    const { invocation } = call;
    const leaving = new AbortController();
    const leave = (): void => leaving.abort();
    const sign = cancelOnDisconnect ? signOfLife(deps, invocation, run, leave) : undefined;
    const isLeft = cancelOnDisconnect && (await takeSign(deps, invocation, run.run_id, sign?.afterMs));
    const attempt = Math.max(run.attempt, 1);
    const after = lastId ?? (await afterCheckpoint(deps, run, query.checkpoint_id));
    return streamRun(deps, {
      ...(isLeft && run.endsWithClient ? await goOn(deps, run, invocation, leaving.signal) : {}),
      run,
      caller,
      invocation,
      cancelOnDisconnect,
      sign,
      headers: { location: locationOf(call, query) },
      after,
      first:
        lastId === undefined
          ? { event: "metadata", data: { run_id: run.run_id, attempt }, id: 0 }
          : undefined,
      modes: query.stream_mode,
      namespaces: query.namespace,
    });
  };
}

/** Where a client that is cut off goes on, as it asked to. */
function locationOf(
  { path }: Call,
  query: z.output<typeof schemas.JoinStreamQuery | typeof schemas.JoinQuery>,
): string {
  const search = Object.entries(query).flatMap(([name, value]) =>
    [value ?? []].flat().map((one) => `${name}=${encodeURIComponent(one)}`),
  );
  return search.length === 0 ? path : `${path}?${search.join("&")}`;
}

/** Where the run streamed the checkpoint; its beginning if it did not. */
async function afterCheckpoint(
  { log }: RunsDeps,
  run: RunRef,
  checkpointId: string | undefined,
): Promise<number> {
  return checkpointId === undefined ? 0 : ((await log.checkpointSeq(run, checkpointId)) ?? 0);
}

/** Nothing, and -1, stand for the beginning. */
async function lastEventId({ headers }: Request): Promise<number | undefined> {
  const id = headers.get("last-event-id");
  if (id === null || id === "-1" || id === "-" || id === "") return undefined;
  return parse(z.coerce.number().int().min(0), id, ["last-event-id"]);
}

/** The run in the path, if it is within reach and its graph is open to the caller. */
async function find(deps: RunsDeps, { params, invocation, caller }: Call, access: RunAccess) {
  const runId = await parse(z.uuid(), params["run_id"], ["run_id"]);
  const threadId = checkThreadId(params["thread_id"]);
  const found = await findRun(deps, caller, { threadId, runId, ...access });
  requireLevel(graphOf(deps, found.run).authLevel, invocation.authLevel);
  return found;
}

interface Logged extends Pick<RunRecord, "run_id" | "thread_id" | "attempt" | "created_at"> {
  /** Undefined when only the log is left. */
  readonly graph?: Graph;
  /** Who has been allowed to read it. */
  readonly caller: Caller;
  readonly endsWithClient?: boolean;
}

/** A run whose log is there, for those who reached its thread: of a stateless run, the log outlives it. */
async function findLogged(deps: RunsDeps, call: Call, cancels: boolean): Promise<Logged> {
  const { params, invocation } = call;
  const run_id = await parse(z.uuid(), params["run_id"], ["run_id"]);
  const threadId = params["thread_id"] === undefined ? undefined : checkThreadId(params["thread_id"]);
  const asked = { runId: run_id, threadId };
  const { run, scope } = await lookForRun(deps, call.caller, { ...asked, to: "read" });
  const caller = allowedTo(call.caller, scope);
  if (run !== null) {
    if (cancels) await checkMayCancel(deps, call.caller, asked);
    const graph = graphOf(deps, run);
    requireLevel(graph.authLevel, invocation.authLevel);
    const { thread_id, attempt, created_at, kwargs } = run;
    const endsWithClient = kwargs["ends_with_client"] === true;
    return { run_id, thread_id, attempt, created_at, graph, caller, endsWithClient };
  }
  const thread_id = threadId ?? run_id;
  if (!(await isLogged(deps, { thread_id, run_id }, scope, invocation)))
    throw new AppError("not_found", `Run '${run_id}' not found`);
  return { run_id, thread_id, attempt: 1, created_at: deps.clock.now(), caller };
}

async function isLogged(
  deps: RunsDeps,
  run: Pick<Logged, "run_id" | "thread_id">,
  scope: Scope,
  { signal }: Invocation,
): Promise<boolean> {
  if (!isEverything(scope) && !(await deps.endedThreads.reaches(run.thread_id, scope))) return false;
  const follower = deps.engine.follow(run, 0, signal)[Symbol.asyncIterator]();
  const { done } = await follower.next();
  await follower.return?.();
  return done !== true;
}

function graphOf(deps: RunsDeps, { graph_id }: RunRecord): Graph {
  const graph = deps.graphs.list().find(({ name }) => name === graph_id);
  if (graph === undefined) throw new AppError("not_found", `Graph '${graph_id}' is not registered any more`);
  return graph;
}

interface ShownRun {
  readonly [field: string]: unknown;
  readonly status: RunStatus;
}

function shown(run: RunRecord): ShownRun {
  const { graph_id: _, attempt: __, error: ___, output: ____, ...visible } = run;
  return { ...visible, kwargs: shownKwargs(run.kwargs) };
}

function pick(run: ShownRun, fields: readonly string[]): object {
  return Object.fromEntries(fields.map((field) => [field, run[field]]));
}
