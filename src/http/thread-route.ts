/** What the routes of threads have in common. */

import type { AuthLevel } from "../core/model.ts";
import type { CheckGraph } from "../core/thread-graphs.ts";
import type { ThreadStateDeps } from "../core/thread-states.ts";
import { checkThreadId } from "../core/threads.ts";
import { requireLevel } from "./authenticate.ts";
import type { BodyLimits } from "./body.ts";
import { platformRoute, type MakeRoute } from "./platform-route.ts";
import type { Call } from "./router.ts";

export interface ThreadRouteDeps extends ThreadStateDeps {
  readonly limits: BodyLimits;
  readonly authLevel: AuthLevel;
}

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
  return platformRoute(authLevel, "threads", ERRORS);
}

/** @throws AppError `invalid_thread_id` */
export function threadId({ params }: Call): string {
  return checkThreadId(params["thread_id"]);
}

/** What may be done with a graph whose code runs: what its key opens. */
export function openGraphs({ invocation }: Call): CheckGraph {
  return ({ authLevel }) => requireLevel(authLevel, invocation.authLevel);
}
