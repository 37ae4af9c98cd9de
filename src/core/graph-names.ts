/** What a client may name of a graph: its nodes, and the fields of its state. LangGraph overlooks what is not there. */

import { AppError } from "../errors.ts";
import type { CompiledGraph } from "./graphs.ts";
import { isJsonObject } from "./model.ts";
import type { Command } from "./run-kwargs.ts";

/** @throws AppError `invalid_request` for a command that names a node or a field which the graph has not */
export function checkCommand(graph: CompiledGraph, { goto, update }: Command, path = "command"): void {
  if (goto !== undefined) {
    for (const to of [goto].flat()) checkNode(graph, typeof to === "string" ? to : to.node, `${path}.goto`);
  }
  if (update === undefined) return;
  const fields = Array.isArray(update) ? update.map(([field]) => String(field)) : Object.keys(update);
  checkFields(graph, fields, `${path}.update`);
}

/** Of a thread's state. */
export interface StateUpdate {
  readonly values?: unknown;
  readonly command?: Command | undefined;
  readonly as_node?: string | undefined;
}

/** The same for an edit of the state; `path` is that of the edit. @throws AppError `invalid_request` */
export function checkUpdate(
  graph: CompiledGraph,
  { values, command, as_node }: StateUpdate,
  path = "",
): void {
  if (as_node !== undefined) checkNode(graph, as_node, `${path}as_node`);
  if (command !== undefined) checkCommand(graph, command, `${path}command`);
  if (isJsonObject(values)) checkFields(graph, Object.keys(values), `${path}values`);
}

function checkNode({ nodes }: CompiledGraph, name: string, path: string): void {
  if (!isStateGraph(nodes) || name in nodes || OWN_NODES.has(name)) return;
  throw new AppError("invalid_request", `${path}: the graph has no node '${name}'`);
}

function checkFields({ nodes, channels = {} }: CompiledGraph, fields: readonly string[], path: string): void {
  if (!isStateGraph(nodes) || WHOLE in channels) return;
  for (const field of fields) {
    if (!Object.hasOwn(channels, field) || OWN_CHANNEL.test(field))
      throw new AppError("invalid_request", `${path}.${field}: the graph's state has no such field`);
  }
}

/** What LangGraph's functional API makes has neither nodes to go to nor fields. */
function isStateGraph(nodes: CompiledGraph["nodes"]): nodes is NonNullable<CompiledGraph["nodes"]> {
  return nodes !== undefined && "__start__" in nodes;
}

/** Names that LangGraph takes for nodes: the end, and in an edit the graph's input and a copy of the state. */
const OWN_NODES = new Set(["__end__", "__start__", "__input__", "__copy__"]);
/** A state that is no object. */
const WHOLE = "__root__";
const OWN_CHANNEL = /^(__|branch:|join:)/;
