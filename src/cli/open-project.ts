/** A project's code, loaded into this process, which must be one that takes TypeScript. */

import { relative } from "node:path";
import { pathToFileURL } from "node:url";
import type { LangGraphApp } from "../app.ts";
import type { CorsOptions } from "../options.ts";
import { loadExport, type ProjectExport } from "../project/graph.ts";
import { projectApp, type ProjectGraph } from "../project/app.ts";
import { loadAuth } from "../project/auth.ts";
import { loadCustomApp } from "../project/custom.ts";
import { loadEmbeddings } from "../project/options.ts";
import type { LangGraphConfig } from "./config.ts";
import { explainLoading } from "./load-error.ts";
import type { Project } from "./project.ts";
import type { Reference } from "./reference.ts";

export interface OpenProject {
  readonly app: LangGraphApp;
  /** Loads each graph's file, which the first run of it would otherwise do; tells those that cannot be loaded. */
  readonly check: (tell: (problem: GraphProblem) => void) => Promise<void>;
}

export interface GraphProblem {
  readonly graph: string;
  readonly message: string;
}

/** Of a development server: pages on this machine, and LangGraph Studio. */
const LOCAL_PAGES: CorsOptions = {
  allowOrigins: ["https://smith.langchain.com"],
  allowOriginRegex: String.raw`https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?`,
};

/**
 * @param isPrivate only this machine can reach the server
 * @throws Error with file and line of what cannot be loaded
 */
export async function openProject(
  project: Project,
  { isPrivate }: { readonly isPrivate: boolean },
): Promise<OpenProject> {
  if (project.kind === "app") return { app: await loadApp(project), check: async () => undefined };
  const { config, folder } = project;
  const graphs = graphsOf(config);
  const customApp = config.httpApp && exported(config.httpApp);
  const embed = config.embed && exported(config.embed);
  const auth = config.auth && exported(config.auth);
  const check = async (key: string, loading: Promise<unknown> | undefined): Promise<void> => {
    await loading?.catch((error: unknown) => {
      throw new Error(`${key} cannot be loaded: ${explainLoading(error, folder)}`, { cause: error });
    });
  };
  await check("store.index.embed", embed && loadEmbeddings(embed));
  await check("http.app", customApp && loadCustomApp(customApp)); // no request may go past its middleware
  await check("auth.path", auth && loadAuth(auth));
  const allowStudio = isPrivate && config.allowsStudio;
  return {
    app: projectApp({
      graphs,
      customApp,
      embed,
      auth,
      options: { cors: LOCAL_PAGES, allowStudio, ...config.options },
    }),
    check: async (tell) => {
      await Promise.all(
        Object.entries(graphs).map(async ([graph, found]) => {
          const problem = await problemOf(found, folder);
          if (problem !== undefined) tell({ graph, message: problem });
        }),
      );
    },
  };
}

function graphsOf({ graphs }: LangGraphConfig): Readonly<Record<string, ProjectGraph>> {
  return Object.fromEntries(
    Object.entries(graphs).map(([graph, { description, ...reference }]) => [
      graph,
      { ...exported(reference), description },
    ]),
  );
}

function exported(reference: Reference): ProjectExport {
  return { name: reference.name, file: reference.shown, load: async () => load(reference) };
}

async function problemOf(graph: ProjectExport, folder: string): Promise<string | undefined> {
  return loadExport(graph).then(
    () => undefined,
    (error: unknown) => explainLoading(error, folder),
  );
}

async function loadApp({ file, folder }: Extract<Project, { kind: "app" }>): Promise<LangGraphApp> {
  const shown = relative(folder, file);
  const module = await load({ file }).catch((error: unknown) => {
    throw new Error(`${shown} cannot be loaded: ${explainLoading(error, folder)}`, { cause: error });
  });
  const app: unknown = Reflect.get(module, "app");
  if (isApp(app)) return app;
  throw new Error(`${shown} must export a LangGraphApp as "app".`);
}

async function load({ file }: Pick<Reference, "file">): Promise<object> {
  const module: unknown = await import(pathToFileURL(file).href);
  if (typeof module !== "object" || module === null) throw new TypeError(`${file} is no module.`);
  return module;
}

/** Of whichever copy of this package. */
function isApp(value: unknown): value is LangGraphApp {
  return typeof value === "object" && value !== null && "register" in value && "doors" in value;
}
