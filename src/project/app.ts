/** A LangGraph project, as its langgraph.json describes it, as an app: what `dev` serves and `build` bundles. */

import { LangGraphApp } from "../app.ts";
import type { AppOptions } from "../options.ts";
import { loadCustomApp } from "./custom.ts";
import { graphSource, type ProjectExport } from "./graph.ts";

/** One entry of `graphs`. */
export interface ProjectGraph extends ProjectExport {
  readonly description?: string | undefined;
}

export interface Project {
  readonly graphs: Readonly<Record<string, ProjectGraph>>;
  /** `http.app`: routes and middleware, loaded with the first request. */
  readonly customApp?: ProjectExport | undefined;
  readonly options?: AppOptions;
}

/** @throws TypeError that says which graph or option is wrong, and what to do */
export function projectApp({ graphs, customApp, options }: Project): LangGraphApp {
  const customRoutes = customApp && (async () => loadCustomApp(customApp));
  const app = new LangGraphApp({ ...options, customRoutes });
  for (const [name, { description, ...exported }] of Object.entries(graphs))
    app.register({ name, graph: graphSource(exported), description });
  return app;
}
