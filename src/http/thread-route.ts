/** What the routes of threads have in common. */

import { z } from "zod";
import type { Permission } from "../core/auth.ts";
import type { AuthLevel } from "../core/model.ts";
import type { CheckGraph } from "../core/thread-graphs.ts";
import type { ThreadStateDeps } from "../core/thread-states.ts";
import { checkThreadId } from "../core/threads.ts";
import { requireLevel } from "./authenticate.ts";
import type { BodyLimits } from "./body.ts";
import type { AnswerDocs, Call, Route, RouteDocs } from "./router.ts";

export interface ThreadRouteDeps extends ThreadStateDeps {
  readonly limits: BodyLimits;
  readonly authLevel: AuthLevel;
}

export interface ThreadRoute extends Pick<RouteDocs, "query" | "headers" | "body" | "isBodyOptional"> {
  readonly permission: Permission;
  readonly answer: AnswerDocs;
  readonly status?: number;
  /** Answers besides, by their status. */
  readonly others?: RouteDocs["responses"];
  readonly handle: Route["handle"];
}

export type MakeRoute = (
  endpoint: `${Route["method"]} ${string}`,
  summary: string,
  rest: ThreadRoute,
) => Route;

const ERRORS = {
  400: "The body is not JSON or over a limit, or the thread id is not valid",
  401: "A function key is missing, or the caller has not signed in",
  403: "The function key does not open this, or the caller may not do it",
  404: "There is no such thread, or its graph or the checkpoint is missing",
  409: "There is such a thread already, or it has an active run",
  413: "A message is over its limit",
  422: "A field is not what was expected",
  429: "Too many requests; see Retry-After",
  500: "The graph's state could not be made or read",
  503: "The database cannot be reached",
} as const;

export function threadRoute({ authLevel }: ThreadRouteDeps): MakeRoute {
  return (endpoint, summary, { permission, answer, status = 200, handle, others, ...told }) => {
    const [method, path] = splitEndpoint(endpoint);
    const operationId = `${method.toLowerCase()}${path.replaceAll(/\W+/g, "_").replace(/_$/, "")}`;
    return {
      method,
      path,
      authLevel,
      permission,
      isRateLimited: true,
      isPlatform: true,
      handle,
      docs: {
        operationId,
        summary,
        tag: "threads",
        ...told,
        responses: { [status]: answer, ...others, ...ERRORS },
      },
    };
  };
}

const Endpoint = z.tuple([z.enum(["GET", "POST", "PUT", "PATCH", "DELETE"]), z.string()]);

function splitEndpoint(endpoint: string): z.output<typeof Endpoint> {
  return Endpoint.parse(endpoint.split(" "));
}

/** @throws AppError `invalid_thread_id` */
export function threadId({ params }: Call): string {
  return checkThreadId(params["thread_id"]);
}

/** What may be done with a graph whose code runs: what its key opens. */
export function openGraphs({ invocation }: Call): CheckGraph {
  return ({ authLevel }) => requireLevel(authLevel, invocation.authLevel);
}

export function noContent(): Response {
  return new Response(null, { status: 204, headers: { "cache-control": "no-store" } });
}
