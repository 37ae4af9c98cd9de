/** The Platform's run endpoints. @see https://docs.langchain.com/langsmith/server-api-ref */

import { z } from "zod";
import type { Graph } from "../core/graphs.ts";
import type { AuthLevel, RunStatus } from "../core/model.ts";
import type { RunRecord } from "../core/ports.ts";
import { cancelRuns, deleteRun, getThreadRun, listRuns } from "../core/runs.ts";
import { shownKwargs } from "../core/run-kwargs.ts";
import { checkThreadId } from "../core/threads.ts";
import { AppError } from "../errors.ts";
import { requireLevel } from "./authenticate.ts";
import { parse, readObject } from "./body.ts";
import { eventsDocs } from "./event-docs.ts";
import { queryOf } from "./query.ts";
import { json } from "./respond.ts";
import type { Call, Route, RouteDocs } from "./router.ts";
import {
  createAndStream,
  createAndWait,
  createBatch,
  createInBackground,
  type RunsDeps,
} from "./runs-create.ts";
import { awaitEnd, awaitRun, streamRun } from "./runs-response.ts";
import * as schemas from "./runs-schemas.ts";

const THREAD = "/threads/{thread_id}/runs";
const RUN = `${THREAD}/{run_id}`;

export function runRoutes(deps: RunsDeps, authLevel: AuthLevel): readonly Route[] {
  const route = (
    method: Route["method"],
    path: string,
    docs: Omit<RouteDocs, "tag">,
    handle: Route["handle"],
  ): Route => ({ method, path, authLevel, isRateLimited: true, handle, docs: { ...docs, tag: "runs" } });
  return [
    ...[THREAD, "/runs"].flatMap((path) => [
      route("POST", path, createDocs(path, "", "Run in the background"), createInBackground(deps)),
      route(
        "POST",
        `${path}/wait`,
        createDocs(path, "wait", "Run, and wait for the end"),
        createAndWait(deps),
      ),
      route("POST", `${path}/stream`, createDocs(path, "stream", "Run, and stream"), createAndStream(deps)),
    ]),
    route("POST", "/runs/batch", batchDocs, createBatch(deps)),
    route("POST", "/runs/cancel", cancelManyDocs, cancelMany(deps)),
    route("GET", THREAD, listDocs, list(deps)),
    route("GET", RUN, getDocs, async (call) => json(shown(await find(deps, call)))),
    route("DELETE", RUN, deleteDocs, remove(deps)),
    route("POST", `${RUN}/cancel`, cancelDocs, cancel(deps)),
    route("GET", `${RUN}/join`, joinDocs, join(deps)),
    route("GET", `${RUN}/stream`, streamDocs("stream_join"), joinStream(deps)),
    route("GET", "/runs/{run_id}/stream", streamDocs("stream_join_stateless"), joinStream(deps)),
  ];
}

function list(deps: RunsDeps): Route["handle"] {
  return async ({ params, request }) => {
    const { limit, offset, status, select } = await parse(schemas.ListQuery, queryOf(request));
    const threadId = checkThreadId(params["thread_id"]);
    const { runs, total } = await listRuns(deps, threadId, { limit, offset, status });
    const all = runs.map(shown);
    const picked = select === undefined ? all : all.map((run) => pick(run, select));
    const next = offset + limit;
    return json(picked, 200, {
      "x-pagination-total": String(total),
      ...(next < total ? { "x-pagination-next": String(next) } : {}),
    });
  };
}

function remove(deps: RunsDeps): Route["handle"] {
  return async (call) => {
    await deleteRun(deps, await find(deps, call));
    return new Response(null, { status: 204 });
  };
}

function cancel(deps: RunsDeps): Route["handle"] {
  return async (call) => {
    const { wait, action } = await parse(schemas.CancelQuery, queryOf(call.request));
    const run = await find(deps, call);
    await cancelRuns(deps, { runIds: [run.run_id] }, action ?? "interrupt");
    if (wait !== true) return json({}, 202);
    await awaitEnd(deps, run, call.invocation);
    return new Response(null, { status: 204 });
  };
}

function cancelMany(deps: RunsDeps): Route["handle"] {
  return async ({ request }) => {
    const { action } = await parse(schemas.CancelManyQuery, queryOf(request));
    const sent = await parse(schemas.CancelMany, await readObject(request, deps.limits));
    const { thread_id, run_ids, status } = sent;
    await cancelRuns(
      deps,
      {
        threadId: thread_id ?? undefined,
        runIds: run_ids ?? undefined,
        status: status == null || status === "all" ? undefined : status,
      },
      action ?? "interrupt",
    );
    return new Response(null, { status: 204 });
  };
}

function join(deps: RunsDeps): Route["handle"] {
  return async (call) => {
    const { cancel_on_disconnect } = await parse(schemas.JoinQuery, queryOf(call.request));
    const { graph, ...run } = await findLogged(deps, call);
    const watched = {
      run,
      invocation: call.invocation,
      cancelOnDisconnect: cancel_on_disconnect ?? false,
      headers: { location: call.path },
    };
    return awaitRun(deps, watched, graph);
  };
}

function joinStream(deps: RunsDeps): Route["handle"] {
  return async (call) => {
    const query = await parse(schemas.JoinStreamQuery, queryOf(call.request));
    const run = await findLogged(deps, call);
    const lastId = await lastEventId(call.request);
    const attempt = Math.max(run.attempt, 1);
    return streamRun(deps, {
      run,
      invocation: call.invocation,
      cancelOnDisconnect: query.cancel_on_disconnect ?? false,
      headers: { location: call.path },
      after: lastId ?? 0,
      first:
        lastId === undefined
          ? { event: "metadata", data: { run_id: run.run_id, attempt }, id: 0 }
          : undefined,
      modes: query.stream_mode,
    });
  };
}

/** Nothing, and -1, stand for the beginning. */
async function lastEventId({ headers }: Request): Promise<number | undefined> {
  const id = headers.get("last-event-id");
  if (id === null || id === "-1" || id === "-" || id === "") return undefined;
  return parse(z.coerce.number().int().min(0), id, ["last-event-id"]);
}

/** The run in the path, if its graph is open to the caller. */
async function find(deps: RunsDeps, { params, invocation }: Call): Promise<RunRecord> {
  const runId = await parse(z.uuid(), params["run_id"], ["run_id"]);
  const run = await getThreadRun(deps, checkThreadId(params["thread_id"]), runId);
  requireLevel(graphOf(deps, run).authLevel, invocation.authLevel);
  return run;
}

interface Logged extends Pick<RunRecord, "run_id" | "thread_id" | "attempt"> {
  /** Undefined when only the log is left. */
  readonly graph?: Graph;
}

/** A run whose log is there: of a stateless run, the log outlives it. */
async function findLogged(deps: RunsDeps, { params, invocation }: Call): Promise<Logged> {
  const run_id = await parse(z.uuid(), params["run_id"], ["run_id"]);
  const run = await deps.runs.get(run_id);
  const thread_id = checkThreadId(params["thread_id"] ?? run?.thread_id ?? run_id);
  if (run !== null && run.thread_id === thread_id) {
    const graph = graphOf(deps, run);
    requireLevel(graph.authLevel, invocation.authLevel);
    return { run_id, thread_id, attempt: run.attempt, graph };
  }
  const follower = deps.engine.follow({ thread_id, run_id }, 0, invocation.signal)[Symbol.asyncIterator]();
  const { done } = await follower.next();
  await follower.return?.();
  if (done === true || run !== null) throw new AppError("not_found", `Run '${run_id}' not found`);
  return { run_id, thread_id, attempt: 1 };
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

const ERRORS = {
  401: "A function key is missing",
  403: "The function key does not open this endpoint",
  404: "There is no such thread, run or assistant",
  422: "A field is not what was expected",
  429: "Too many requests; see Retry-After",
  500: "The server failed",
  503: "The database cannot be reached",
} as const;
const aRun = { description: "The run", schema: schemas.RunAnswer };
const values = { description: "The final values, or `__error__`", schema: z.unknown() };
const stream = eventsDocs("Server-Sent Events");

type Docs = Omit<RouteDocs, "tag">;

function createDocs(path: string, verb: "" | "wait" | "stream", summary: string): Docs {
  const isStateless = path === "/runs";
  const answers = { "": aRun, wait: values, stream };
  const located = verb === "" ? [] : (["Location"] as const);
  return {
    operationId: `${isStateless ? "runs_stateless" : "runs"}_create${verb === "" ? "" : `_${verb}`}`,
    summary: isStateless ? `${summary}, on a temporary thread` : summary,
    headers: ["Idempotency-Key"],
    body: isStateless ? schemas.StatelessRunCreate : schemas.RunCreate,
    responses: {
      200: { ...answers[verb], headers: ["Content-Location", "Idempotent-Replayed", ...located] },
      ...ERRORS,
      400: "The body is not JSON or over a limit",
      409: "The thread is busy, or the run was cancelled",
      413: "A message is over its limit",
    },
  };
}

function streamDocs(verb: string): Docs {
  return {
    operationId: `runs_${verb}`,
    summary: "Stream a run",
    query: schemas.JoinStreamQuery,
    headers: ["Last-Event-ID"],
    responses: { 200: { ...stream, headers: ["Location"] }, ...ERRORS },
  };
}

const getDocs: Docs = { operationId: "runs_get", summary: "Get a run", responses: { 200: aRun, ...ERRORS } };
const deleteDocs: Docs = {
  operationId: "runs_delete",
  summary: "Delete a run that is over",
  responses: { 204: { description: "Deleted" }, ...ERRORS, 409: "The run is not over" },
};
const cancelDocs: Docs = {
  operationId: "runs_cancel",
  summary: "Stop a run",
  query: schemas.CancelQuery,
  responses: {
    202: { description: "It is asked to stop", schema: z.strictObject({}) },
    204: { description: "It has ended" },
    ...ERRORS,
  },
};
const joinDocs: Docs = {
  operationId: "runs_join",
  summary: "Wait for a run",
  query: schemas.JoinQuery,
  responses: { 200: { ...values, headers: ["Location"] }, ...ERRORS },
};
const batchDocs: Docs = {
  operationId: "runs_batch",
  summary: "Run many in the background, each on a temporary thread",
  headers: ["Idempotency-Key"],
  body: schemas.RunBatch,
  responses: {
    200: {
      description: "The runs",
      schema: z.array(schemas.RunAnswer),
      headers: ["Idempotent-Replayed"],
    },
    ...ERRORS,
    413: "A message is over its limit",
  },
};
const cancelManyDocs: Docs = {
  operationId: "runs_cancel_many",
  summary: "Stop runs",
  query: schemas.CancelManyQuery,
  body: schemas.CancelMany,
  responses: { 204: { description: "They are asked to stop" }, ...ERRORS },
};
const listDocs: Docs = {
  operationId: "runs_list",
  summary: "List the runs of a thread, the newest first",
  query: schemas.ListQuery,
  responses: {
    200: {
      description: "A page of runs, with the fields asked for",
      schema: z.array(schemas.RunAnswer.partial()),
      headers: ["X-Pagination-Total", "X-Pagination-Next"],
    },
    ...ERRORS,
  },
};
