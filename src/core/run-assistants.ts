/** Which assistant a run is of, and what it takes over from it. */

import { AppError } from "../errors.ts";
import { getAssistant, type AssistantDeps } from "./assistants.ts";
import { SYSTEM, type Caller } from "./auth.ts";
import { toGraphConfig, type GraphConfig } from "./config.ts";
import { assistantIdOf, defaultOf, CREATED_BY_SYSTEM } from "./default-assistants.ts";
import type { Graph } from "./graphs.ts";
import type { JsonObject } from "./model.ts";

export interface RunAssistant {
  readonly assistant_id: string;
  /** The one that counts; admission refuses the run when another is in force by then. */
  readonly version: number;
  readonly is_default: boolean;
  readonly graph: Graph;
  readonly config: GraphConfig;
  readonly context: JsonObject;
  readonly metadata: JsonObject;
}

export interface RunAssistantDeps extends Pick<AssistantDeps, "assistants" | "graphs" | "clock"> {
  /** Default assistants of which this process knows that they were changed; what it does not know, admission does. */
  readonly changed: Set<string>;
}

const ATTEMPTS = 10;

/**
 * The assistant of this id, or of the graph of this name; a default one is for all to run. One of which nobody knows
 * that it was changed is not asked for: admission finds out.
 * @throws AppError `not_found`, also for one that is out of reach; `forbidden`
 */
export async function findRunAssistant(
  deps: RunAssistantDeps,
  caller: Caller,
  assistantId: string,
): Promise<RunAssistant> {
  const graph = defaultOf(deps.graphs.list(), assistantId);
  if (graph !== undefined && !deps.changed.has(graph.name)) return asRegistered(graph);
  return newest(deps, caller, assistantId);
}

/**
 * Admits a run as an assistant: `admit` is called again when the assistant was another by then.
 * @throws AppError `not_found`; what `admit` throws
 */
export async function runAs<T>(
  deps: RunAssistantDeps,
  found: RunAssistant,
  admit: (assistant: RunAssistant) => Promise<T>,
): Promise<T> {
  let assistant = found;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await admit(assistant);
    } catch (error) {
      if (attempt === ATTEMPTS || !(error instanceof AppError) || error.code !== "assistant_changed")
        throw error;
      assistant = await newest(deps, SYSTEM, found.assistant_id); // found within reach already
    }
  }
}

function asRegistered(graph: Graph): RunAssistant {
  return {
    assistant_id: assistantIdOf(graph.name),
    version: 1,
    is_default: true,
    graph,
    config: graph.config ?? {},
    context: graph.assistantContext ?? {},
    metadata: CREATED_BY_SYSTEM,
  };
}

async function newest(deps: RunAssistantDeps, caller: Caller, assistantId: string): Promise<RunAssistant> {
  const isDefault = defaultOf(deps.graphs.list(), assistantId) !== undefined;
  const { assistant_id, version, graph_id, config, context, metadata } = await getAssistant(
    deps,
    isDefault ? SYSTEM : caller,
    assistantId,
  );
  const owner = defaultOf(deps.graphs.list(), assistant_id);
  if (owner !== undefined && version > 1) deps.changed.add(owner.name);
  if (owner !== undefined && version === 1) deps.changed.delete(owner.name);
  return {
    assistant_id,
    version,
    is_default: owner !== undefined,
    graph: deps.graphs.get(graph_id),
    config: toGraphConfig(config),
    context,
    metadata,
  };
}
