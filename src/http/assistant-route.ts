/** What the routes of assistants have in common. */

import type { Assistant } from "../core/assistant-store.ts";
import { getAssistant, type AssistantDeps, type AssistantTarget } from "../core/assistants.ts";
import type { GraphInspector } from "../core/graph-inspector.ts";
import type { Graph } from "../core/graphs.ts";
import type { AuthLevel, Invocation } from "../core/model.ts";
import { requireLevel } from "./authenticate.ts";
import type { BodyLimits } from "./body.ts";
import { platformRoute, type MakeRoute } from "./platform-route.ts";
import type { Call } from "./router.ts";

export interface AssistantRouteDeps extends AssistantDeps {
  readonly inspector: GraphInspector;
  readonly limits: BodyLimits;
  readonly authLevel: AuthLevel;
}

const ERRORS = {
  400: "The body is not JSON or over a limit",
  401: "A function key is missing",
  403: "The function key does not open this, or the caller may not do it",
  404: "There is no such assistant, version or graph",
  409: "There is such an assistant already",
  422: "A field is not what was expected",
  429: "Too many requests; see Retry-After",
  500: "The server failed, or the graph cannot be loaded",
  503: "The database cannot be reached",
} as const;

export function assistantRoute({ authLevel }: AssistantRouteDeps): MakeRoute {
  return platformRoute(authLevel, "assistants", ERRORS);
}

/** The assistant in the path, if its graph is open to the caller. @throws AppError `not_found`, `forbidden`, `unauthorized` */
export async function find(
  deps: AssistantRouteDeps,
  { params, invocation, caller }: Call,
): Promise<{ readonly assistant: Assistant; readonly graph: Graph | undefined }> {
  const assistant = await getAssistant(deps, caller, params["assistant_id"] ?? "");
  return { assistant, graph: openGraph(deps, assistant, invocation) };
}

/** The assistant in the path, which is refused to callers to whom its graph is not open. */
export function targetOf(deps: AssistantRouteDeps, { params, invocation }: Call): AssistantTarget {
  const check = (assistant: Assistant): void => void openGraph(deps, assistant, invocation);
  return { id: params["assistant_id"] ?? "", check };
}

function openGraph(
  { graphs, authLevel }: AssistantRouteDeps,
  { graph_id }: Assistant,
  invocation: Pick<Invocation, "authLevel">,
): Graph | undefined {
  const graph = graphs.list().find(({ name }) => name === graph_id);
  requireLevel(graph?.authLevel ?? authLevel, invocation.authLevel);
  return graph;
}
