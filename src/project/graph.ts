/** What a file of a LangGraph project may export as a graph, and how it becomes one that runs on our checkpointer. */

import {
  isCompiled,
  withCheckpointer,
  type CompiledGraph,
  type GraphFactory,
  type GraphRuntime,
} from "../core/graphs.ts";
import type { GraphConfig } from "../core/config.ts";
import { once } from "../once.ts";

/** What a file of the project exports. */
export interface ProjectExport {
  readonly load: () => Promise<object>;
  /** That of the export. */
  readonly name: string;
  /** For people. */
  readonly file: string;
}

/**
 * The file is loaded when a run first needs the graph. As on the Platform, a builder is compiled, and a checkpointer
 * that the graph was compiled with gives way to the server's.
 */
export function graphSource(exported: ProjectExport): GraphFactory {
  const load = once(async () => loadExport(exported));
  return async (config, runtime) => {
    const { make, graph } = await load();
    return make === undefined ? graph : compiled(exported, await make(config, runtime));
  };
}

/** Either a graph, or what makes one for each run. */
type Exported =
  | { readonly graph: CompiledGraph; readonly make?: undefined }
  | { readonly make: (config: GraphConfig, runtime: GraphRuntime) => unknown; readonly graph?: undefined };

/**
 * What the file exports under the name.
 * @throws TypeError that says what there is instead of a graph
 */
export async function loadExport(exported: ProjectExport): Promise<Exported> {
  const { load, name, file } = exported;
  const module = await load();
  const value: unknown = await exportOf(module, name);
  if (typeof value === "function")
    return { make: (config, runtime): unknown => Reflect.apply(value, undefined, [config, runtime]) };
  if (value !== undefined) return { graph: compiled(exported, value) };
  const names = exportedNames(module);
  throw new TypeError(
    `${file} has no export "${name}"; it exports ${names.length === 0 ? "nothing" : names.join(", ")}.`,
  );
}

function exportedNames(module: object): readonly string[] {
  const whole: unknown = Reflect.get(module, "default");
  const isCommonJs = isObject(whole) && !isCompiled(whole);
  const names = isCommonJs ? [...Object.keys(module), ...Object.keys(whole)] : Object.keys(module);
  const shown = names.filter(
    (name) => !["module.exports", "__esModule", ...(isCommonJs ? ["default"] : [])].includes(name),
  );
  return [...new Set(shown)];
}

/** What a CommonJS module exports is under `default` where Node could not tell the names. */
export function exportOf(module: object, name: string): unknown {
  const value: unknown = Reflect.get(module, name);
  const isWholeModule = name === "default" && isObject(value) && value["__esModule"] === true;
  if (value !== undefined && !isWholeModule) return value;
  const whole: unknown = Reflect.get(module, "default");
  return isObject(whole) ? whole[name] : undefined;
}

/** The graph of an export, or of what a factory has made. */
function compiled({ name, file }: ProjectExport, value: unknown): CompiledGraph {
  const made: unknown = isObject(value) && isBuilder(value) ? value.compile() : value;
  const graph: unknown = isObject(made) && isCompiled(made["graph"]) ? made["graph"] : made; // createAgent wraps it
  if (isCompiled(graph)) return graph.checkpointer === undefined ? graph : withCheckpointer(graph, undefined);
  throw new TypeError(
    `${file}: the export "${name}" must be a compiled graph, a builder, a promise of one, or a function that makes one.`,
  );
}

function isBuilder(value: object): value is { compile(): unknown } {
  return "compile" in value && typeof value.compile === "function" && !("getState" in value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
