/**
 * The process that serves a project for `dev`. It takes TypeScript, and is ended to take up
 * changed files. Ctrl-C reaches its parent, which ends it.
 */

import { parseArgs } from "node:util";
import { isLoopback } from "../local/listener.ts";
import { serveLocally } from "../local/serve.ts";
import type { ServerMessage } from "./messages.ts";
import { openProject } from "./open-project.ts";
import { readLocalSettings } from "../host-settings.ts";
import { findProject, PROJECT_OPTIONS } from "./project.ts";

for (const signal of ["SIGINT", "SIGHUP"] as const) process.on(signal, () => undefined);
const stopped = new Promise<void>((resolve) => {
  process.once("SIGTERM", () => resolve());
  process.once("disconnect", () => resolve()); // nobody would end us any more
});

async function tell(message: ServerMessage): Promise<void> {
  await new Promise((done) => process.send?.(message, undefined, undefined, done) ?? done(undefined));
}

async function main(): Promise<void> {
  await takeTypeScript();
  const { config, app } = parseArgs({ options: PROJECT_OPTIONS }).values;
  const isPrivate = isLoopback(readLocalSettings().host);
  const project = await openProject(await findProject({ config, app }), { isPrivate }).catch(fail(true));
  if (project === undefined) return;
  const server = await serveLocally(project.app).catch(fail(false));
  if (server === undefined) return;
  const { url, database, keyVariable, warning } = server;
  await tell({ kind: "serving", url, database, keyVariable, warning, graphs: [...project.app.graphs] });
  const checked = project
    .check((problem) => void tell({ kind: "graph", ...problem }))
    .then(async () => tell({ kind: "checked" }));
  await Promise.race([checked, stopped]); // a file that never comes to its end keeps nobody from leaving
  await stopped;
  await server[Symbol.asyncDispose]();
}

/** From here on; what this program itself consists of has been loaded without the detour. */
async function takeTypeScript(): Promise<void> {
  const [commonJs, modules] = await Promise.all([import("tsx/cjs/api"), import("tsx/esm/api")]);
  commonJs.register();
  modules.register();
}

/** `isMendable` by a change of the project's files. */
function fail(isMendable: boolean): (error: unknown) => Promise<undefined> {
  return async (error) => {
    const message = error instanceof Error ? error.message : String(error);
    const stack = error instanceof Error ? error.stack : undefined;
    await tell({ kind: "failed", message, stack, isMendable });
    process.exitCode = 1;
    return undefined;
  };
}

await main();
process.exit();
