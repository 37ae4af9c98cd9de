/** What a run's nodes and tools see as their runtime context. */

import { isJsonObject } from "../core/model.ts";
import type { ClaimedRun } from "../core/ports.ts";
import type { Logger } from "../core/logger.ts";

interface ContextDeps {
  readonly logger: Logger;
}

/** What the run was given, and over it what the graph's context factory has made: `made` here, else kept with the run. */
export function contextOf(deps: ContextDeps, run: ClaimedRun, made: unknown): unknown {
  const given = run.kwargs.context;
  const over = made ?? keptContext(deps, run);
  return isJsonObject(given) && isJsonObject(over) ? { ...given, ...over } : (over ?? given);
}

/** As it was when the run was asked for, elsewhere. */
function keptContext({ logger }: ContextDeps, { run_id, graph_id, kwargs }: ClaimedRun): unknown {
  const kept = kwargs.made_context;
  if (kept === undefined || "json" in kept) return kept?.json;
  logger.warn(
    { run_id, graph_id },
    "A run goes on without its context: the graph's context factory made something that is not JSON, and the request is over",
  );
  return undefined;
}
