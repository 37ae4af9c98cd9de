/** What the OpenAPI document says of the run endpoints. */

import { z } from "zod";
import { eventsDocs } from "./event-docs.ts";
import type { RouteDocs } from "./router.ts";
import * as schemas from "./runs-schemas.ts";

const ERRORS = {
  401: "A function key is missing, or the caller has not signed in",
  403: "The function key does not open this endpoint, or the caller may not do it",
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

export function createDocs(path: string, verb: "" | "wait" | "stream", summary: string): Docs {
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

export function streamDocs(verb: string): Docs {
  return {
    operationId: `runs_${verb}`,
    summary: "Stream a run",
    query: schemas.JoinStreamQuery,
    headers: ["Last-Event-ID"],
    responses: { 200: { ...stream, headers: ["Location"] }, ...ERRORS },
  };
}

export const getDocs: Docs = {
  operationId: "runs_get",
  summary: "Get a run",
  responses: { 200: aRun, ...ERRORS },
};
export const deleteDocs: Docs = {
  operationId: "runs_delete",
  summary: "Delete a run that is over",
  responses: { 204: { description: "Deleted" }, ...ERRORS, 409: "The run is not over" },
};
export const cancelDocs: Docs = {
  operationId: "runs_cancel",
  summary: "Stop a run",
  query: schemas.CancelQuery,
  responses: {
    202: { description: "It is asked to stop", schema: z.strictObject({}) },
    204: { description: "It has ended" },
    ...ERRORS,
    503: "It has not ended in the time that there is, or the database cannot be reached",
  },
};
export const joinDocs: Docs = {
  operationId: "runs_join",
  summary: "Wait for a run",
  query: schemas.JoinQuery,
  responses: { 200: { ...values, headers: ["Location"] }, ...ERRORS },
};
export const batchDocs: Docs = {
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
export const cancelManyDocs: Docs = {
  operationId: "runs_cancel_many",
  summary: "Stop runs",
  query: schemas.CancelManyQuery,
  body: schemas.CancelMany,
  responses: { 204: { description: "They are asked to stop" }, ...ERRORS },
};
export const listDocs: Docs = {
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
