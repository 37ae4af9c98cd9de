/** What can be told of a graph: how it is drawn, and the schemas of what it takes and gives. */

import type { WireConfig } from "./config.ts";
import type { Graph } from "./graphs.ts";
import type { JsonObject } from "./model.ts";

/** Looks into a graph without running it. */
export interface GraphInspector {
  /** Nodes and edges; with those of subgraphs, all the way down or so many levels. */
  readonly draw: (graph: Graph, config: WireConfig, xray: boolean | number) => Promise<unknown>;
  readonly schemas: (graph: Graph, config: WireConfig) => Promise<GraphSchemas>;
  /** By namespace, `outer|inner`. */
  readonly subgraphs: (
    graph: Graph,
    config: WireConfig,
    which: { readonly namespace: string | undefined; readonly recurse: boolean },
  ) => Promise<Readonly<Record<string, GraphSchemas>>>;
}

/** JSON Schemas; one is missing when the graph does not tell at run time. */
export interface GraphSchemas {
  readonly input_schema: JsonObject | undefined;
  readonly output_schema: JsonObject | undefined;
  readonly state_schema: JsonObject | undefined;
  readonly config_schema: JsonObject | undefined;
  readonly context_schema: JsonObject | undefined;
}
