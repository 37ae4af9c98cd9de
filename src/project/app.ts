/** A LangGraph project, as its langgraph.json describes it, as an app: what `dev` serves and `build` bundles. */

import { LangGraphApp } from "../app.ts";
import type { AppOptions } from "../options.ts";
import { graphSource, type ExportedGraph } from "./graph.ts";

/** One entry of `graphs`. */
export interface ProjectGraph extends ExportedGraph {
  readonly description?: string | undefined;
}

export interface Project {
  readonly graphs: Readonly<Record<string, ProjectGraph>>;
  readonly options?: AppOptions;
}

/** @throws TypeError that says which graph or option is wrong, and what to do */
export function projectApp({ graphs, options = {} }: Project): LangGraphApp {
  const app = new LangGraphApp(options);
  for (const [name, { description, ...exported }] of Object.entries(graphs))
    app.register({ name, graph: graphSource(exported), description });
  return app;
}
