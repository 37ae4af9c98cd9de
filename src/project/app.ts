/** A LangGraph project, as its langgraph.json describes it, as an app: what `dev` serves and `build` bundles. */

import { LangGraphApp } from "../app.ts";
import { allVariables } from "../environment.ts";
import { loadAuth } from "./auth.ts";
import { loadCustomApp } from "./custom.ts";
import { graphSource, type ProjectExport } from "./graph.ts";
import { appOptions, type ProjectOptions } from "./options.ts";

/** One entry of `graphs`. */
export interface ProjectGraph extends ProjectExport {
  readonly description?: string | undefined;
}

export interface Project {
  readonly graphs: Readonly<Record<string, ProjectGraph>>;
  /** `http.app`: routes and middleware, loaded with the first request. */
  readonly customApp?: ProjectExport | undefined;
  /** `store.index.embed`: loaded with the first text that is embedded. */
  readonly embed?: ProjectExport | undefined;
  /** `auth.path`: who callers are, and what they may do; loaded with the first request. */
  readonly auth?: ProjectExport | undefined;
  readonly options?: ProjectOptions;
}

/** @throws TypeError that says which graph or option is wrong, and what to do */
export function projectApp({ graphs, customApp, embed, auth, options = {} }: Project): LangGraphApp {
  const app = new LangGraphApp({
    ...appOptions(options, embed, allVariables()),
    customRoutes: customApp && (async () => loadCustomApp(customApp)),
    auth: auth && (async () => loadAuth(auth)),
  });
  for (const [name, { description, ...exported }] of Object.entries(graphs))
    app.register({ name, graph: graphSource(exported), description });
  return app;
}
