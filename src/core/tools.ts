/** Assistants as tools for other agents: each has a name that means it alone. */

import { AppError } from "../errors.ts";
import type { Caller } from "./auth.ts";
import type { Assistant } from "./assistant-store.ts";
import { searchAssistants, type AssistantDeps } from "./assistants.ts";
import { defaultOf } from "./default-assistants.ts";
import type { Graph } from "./graphs.ts";
import { findRunAssistant, type RunAssistant, type RunAssistantDeps } from "./run-assistants.ts";

export interface Tool {
  readonly name: string;
  readonly assistant: Assistant;
  readonly graph: Graph;
}

/** More tools than any agent chooses from. */
const MOST = 1_000;

/**
 * The assistants that the caller reaches, of graphs that it may use, the oldest thousand. A tool has its assistant's name; of a name that
 * several have, or that is a graph's, the others are told apart by the beginning of their id.
 */
export async function listTools(
  deps: AssistantDeps,
  caller: Caller,
  mayUse: (graph: Graph) => boolean,
): Promise<readonly Tool[]> {
  const graphs = deps.graphs.list();
  const notOf = graphs.filter((graph) => !mayUse(graph)).map(({ name }) => name);
  const { items: assistants } = await searchAssistants(
    deps,
    caller,
    { metadata: undefined, graph_id: undefined, name: undefined, notOf },
    { limit: MOST, offset: 0, sort_by: "created_at", sort_order: "asc" },
  );
  const taken = new Set<string>();
  return assistants.flatMap((assistant) => {
    const graph = graphs.find(({ name }) => name === assistant.graph_id);
    if (graph === undefined) return []; // of an earlier deployment
    const name = toolName(graphs, taken, assistant);
    taken.add(name);
    return [{ name, assistant, graph }];
  });
}

/** The assistant that a tool's name means; a graph's name always means its default one. @throws AppError `not_found` */
export async function findTool(
  deps: AssistantDeps & RunAssistantDeps,
  caller: Caller,
  name: string,
  mayUse: (graph: Graph) => boolean,
): Promise<RunAssistant> {
  const isGraph = deps.graphs.list().some((graph) => graph.name === name);
  const tools = isGraph ? [] : await listTools(deps, caller, mayUse);
  const id = isGraph ? name : tools.find((tool) => tool.name === name)?.assistant.assistant_id;
  const found = id === undefined ? undefined : await findRunAssistant(deps, caller, id);
  if (found !== undefined && mayUse(found.graph)) return found;
  throw new AppError("not_found", `Tool '${name}' not found`);
}

const LONGEST_NAME = 119;

/** Letters, digits, `_`, `-` and `.`: what models and clients take. */
function toolName(graphs: readonly Graph[], taken: ReadonlySet<string>, assistant: Assistant): string {
  const own = defaultOf(graphs, assistant.assistant_id)?.name;
  const name = assistant.name.replaceAll(/[^\w.-]+/g, "_").slice(0, LONGEST_NAME);
  const isGraphs = graphs.some((graph) => graph.name === name);
  if (name === own || (name !== "" && !isGraphs && !taken.has(name))) return name;
  return own ?? `${name}_${assistant.assistant_id.slice(0, 8)}`;
}
