/** What the OpenAPI document says of the run endpoints. */

import { z } from "zod";
import { eventsDocs } from "./event-docs.ts";
import type { PlatformRoute } from "./platform-route.ts";
import * as schemas from "./runs-schemas.ts";

export const ERRORS = {
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

type Docs = Omit<PlatformRoute, "handle">;

export function createDocs(path: string, verb: "" | "wait" | "stream"): Docs {
  const isStateless = path === "/runs";
  const answers = { "": aRun, wait: values, stream };
  const located = verb === "" ? [] : (["Location"] as const);
  return {
    operationId: `${isStateless ? "runs_stateless" : "runs"}_create${verb === "" ? "" : `_${verb}`}`,
    permission: "threads:create_run",
    headers: ["Idempotency-Key"],
    body: isStateless ? schemas.StatelessRunCreate : schemas.RunCreate,
    responses: {
      200: { ...answers[verb], headers: ["Content-Location", "Idempotent-Replayed", ...located] },
      400: "The body is not JSON or over a limit",
      409: "The thread is busy, or the run was cancelled",
      413: "A message is over its limit",
    },
  };
}

export function streamDocs(verb: string): Docs {
  return {
    operationId: `runs_${verb}`,
    permission: "threads:read",
    query: schemas.JoinStreamQuery,
    headers: ["Last-Event-ID"],
    responses: { 200: { ...stream, headers: ["Location"] } },
  };
}

export const getDocs: Docs = {
  operationId: "runs_get",
  permission: "threads:read",
  responses: { 200: aRun },
};
export const deleteDocs: Docs = {
  operationId: "runs_delete",
  permission: "threads:delete",
  responses: { 204: { description: "Deleted" }, 409: "The run is not over" },
};
export const cancelDocs: Docs = {
  operationId: "runs_cancel",
  permission: "threads:update",
  query: schemas.CancelQuery,
  responses: {
    202: { description: "It is asked to stop", schema: z.strictObject({}) },
    204: { description: "It has ended" },
    503: "It has not ended in the time that there is, or the database cannot be reached",
  },
};
export const joinDocs: Docs = {
  operationId: "runs_join",
  permission: "threads:read",
  query: schemas.JoinQuery,
  responses: { 200: { ...values, headers: ["Location"] } },
};
export const batchDocs: Docs = {
  operationId: "runs_batch",
  permission: "threads:create_run",
  headers: ["Idempotency-Key"],
  body: schemas.RunBatch,
  responses: {
    200: {
      description: "The runs",
      schema: z.array(schemas.RunAnswer),
      headers: ["Idempotent-Replayed"],
    },
    413: "A message is over its limit",
  },
};
export const cancelManyDocs: Docs = {
  operationId: "runs_cancel_many",
  permission: "threads:update",
  query: schemas.CancelManyQuery,
  body: schemas.CancelMany,
  responses: { 204: { description: "They are asked to stop" } },
};
export const listDocs: Docs = {
  operationId: "runs_list",
  permission: "threads:search",
  query: schemas.ListQuery,
  responses: {
    200: {
      description: "A page of runs, with the fields asked for",
      schema: z.array(schemas.RunAnswer.partial()),
      headers: ["X-Pagination-Total", "X-Pagination-Next"],
    },
  },
};
