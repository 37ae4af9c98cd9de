/** The Platform API's routes. Import it lazily: their schemas take longer to build than a health check may. */

import { a2aRoutes, type A2aDeps } from "./a2a.ts";
import type { AssistantRouteDeps } from "./assistant-route.ts";
import { assistantRoutes } from "./assistants.ts";
import { cronRoutes, type CronRouteDeps } from "./crons.ts";
import { mcpRoutes } from "./mcp.ts";
import type { McpDeps } from "./mcp-server.ts";
import { protocolRoutes, type ProtocolRouteDeps } from "./protocol.ts";
import { resumeLinkRoutes, type LinkRouteDeps } from "./resume-links.ts";
import type { Route } from "./router.ts";
import type { RunsDeps } from "./runs-create.ts";
import { runRoutes } from "./runs.ts";
import { storeRoutes, type StoreRouteDeps } from "./store.ts";
import type { ThreadRouteDeps } from "./thread-route.ts";
import { threadStorageRoutes, type ThreadStorageRouteDeps } from "./thread-storage.ts";
import { threadStreamRoutes, type ThreadStreamRouteDeps } from "./thread-stream.ts";
import { threadRoutes } from "./threads.ts";

export type PlatformDeps = A2aDeps &
  AssistantRouteDeps &
  CronRouteDeps &
  LinkRouteDeps &
  McpDeps &
  ProtocolRouteDeps &
  RunsDeps &
  StoreRouteDeps &
  ThreadRouteDeps &
  ThreadStorageRouteDeps &
  ThreadStreamRouteDeps;

export function platformRoutes(deps: PlatformDeps): readonly Route[] {
  const { authLevel } = deps;
  return [
    ...assistantRoutes(deps),
    ...threadRoutes(deps),
    ...threadStorageRoutes(deps),
    ...threadStreamRoutes(deps),
    ...resumeLinkRoutes(deps),
    ...cronRoutes(deps, authLevel),
    ...runRoutes(deps, authLevel),
    ...protocolRoutes(deps, authLevel),
    ...storeRoutes(deps),
    ...mcpRoutes(deps),
    ...a2aRoutes(deps),
  ];
}
