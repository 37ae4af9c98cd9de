/** What a graph tells of itself without being run: how it is drawn, which subgraphs it has, what its state looks like. */

import type { GraphInspector } from "../core/graph-inspector.ts";
import { toGraphConfig, mergeConfigs, type WireConfig } from "../core/config.ts";
import type { Graph } from "../core/graphs.ts";
import { AppError } from "../errors.ts";
import { schemasOf } from "./schemas.ts";

/** The parts of a compiled LangGraph.js graph that it draws itself with. */
interface Drawable {
  getGraphAsync(config: object): Promise<{ toJSON(): unknown }>;
  getSubgraphsAsync(namespace?: string, recurse?: boolean): AsyncIterable<readonly [string, unknown]>;
}

export const graphInspector: GraphInspector = {
  draw: async (graph, config, xray) => {
    const drawable = await load(graph, config);
    return (await drawable.getGraphAsync({ ...toGraphConfig(config), xray })).toJSON();
  },
  schemas: async (graph, config) => schemasOf(await load(graph, config), graph),
  subgraphs: async (graph, config, { namespace, recurse }) => {
    const drawable = await load(graph, config);
    const found: [string, Awaited<ReturnType<typeof schemasOf>>][] = [];
    for await (const [name, subgraph] of drawable.getSubgraphsAsync(namespace, recurse))
      found.push([name, await schemasOf(subgraph)]);
    return Object.fromEntries(found);
  },
};

/** @throws AppError `graph_failed` for a graph that cannot be drawn */
async function load(graph: Graph, config: WireConfig): Promise<Drawable> {
  const loaded = await graph.load(mergeConfigs(graph.config ?? {}, toGraphConfig(config)));
  if (isDrawable(loaded)) return loaded;
  throw new AppError("graph_failed", `Graph '${graph.name}' cannot be drawn`);
}

function isDrawable(graph: object): graph is Drawable {
  return (
    "getGraphAsync" in graph &&
    typeof graph.getGraphAsync === "function" &&
    "getSubgraphsAsync" in graph &&
    typeof graph.getSubgraphsAsync === "function"
  );
}
