/** Which project a command is about: a langgraph.json, or a file that exports an app. */

import { stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Variables } from "../environment.ts";
import { readConfig, type LangGraphConfig } from "./config.ts";

export interface ProjectChoice {
  readonly config?: string | undefined;
  readonly app?: string | undefined;
}

/** The options of every command that is about a project. */
export const PROJECT_OPTIONS = { config: { type: "string" }, app: { type: "string" } } as const;

export const PROJECT_HELP = `  --config <file>         the project's langgraph.json, by any name; default: langgraph.json
  --app <file>            instead: a file that exports a LangGraphApp as "app"; default, where there is
                          no langgraph.json: functions/app.ts`;

export type Project =
  | { readonly kind: "config"; readonly folder: string; readonly config: LangGraphConfig }
  | { readonly kind: "app"; readonly folder: string; readonly file: string };

/** @throws Error when there is none, or what is wrong with it */
export async function findProject({ config, app }: ProjectChoice): Promise<Project> {
  if (config !== undefined && app !== undefined) throw new Error("--config and --app exclude each other.");
  if (app !== undefined) return appProject(app);
  if (config !== undefined || (await isFile("langgraph.json"))) {
    const read = await readConfig(config ?? "langgraph.json");
    return { kind: "config", folder: read.folder, config: read };
  }
  for (const file of ["functions/app.ts", "functions/app.js"])
    if (await isFile(file)) return appProject(file);
  throw new Error(
    'There is no langgraph.json and no functions/app.ts here. "langgraph-functions init" makes a new project; --config or --app name other files.',
  );
}

/** Its folder is the nearest one above with a package.json: there are the project's settings and packages. */
async function appProject(file: string): Promise<Project> {
  if (!(await isFile(file))) throw new Error(`There is no file ${file}.`);
  const absolute = resolve(file);
  return { kind: "app", file: absolute, folder: await packageFolder(dirname(absolute)) };
}

async function packageFolder(folder: string, start = folder): Promise<string> {
  if (await isFile(resolve(folder, "package.json"))) return folder;
  return folder === dirname(folder) ? start : packageFolder(dirname(folder), start);
}

/** What the project itself says; the environment goes over it. */
export function projectEnv(project: Project): Variables {
  return project.kind === "config" ? project.config.env : {};
}

export async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}
