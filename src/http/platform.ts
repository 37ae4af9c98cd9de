/** The Platform API's routes. Import it lazily: their schemas take longer to build than a health check may. */

import type { Graph } from "../core/graphs.ts";
import type { AuthLevel } from "../core/model.ts";
import type { NativeDeps } from "./native.ts";
import type { Route } from "./router.ts";
import { runRoutes } from "./runs.ts";
import type { ThreadRouteDeps } from "./thread-route.ts";
import { threadRoutes } from "./threads.ts";

export function platformRoutes(
  deps: NativeDeps & ThreadRouteDeps,
  graphs: () => readonly Graph[],
  authLevel: AuthLevel,
): readonly Route[] {
  return [...threadRoutes(deps), ...runRoutes({ ...deps, graphs }, authLevel)];
}
