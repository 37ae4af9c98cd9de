/** `http.app` of a LangGraph project: a file that exports routes and middleware. */

import { isCustomApp, type CustomApp } from "../options.ts";
import { exportOf, type ProjectExport } from "./graph.ts";

/** @throws TypeError when the file exports nothing that takes requests */
export async function loadCustomApp({ load, name, file }: ProjectExport): Promise<CustomApp> {
  const app: unknown = await exportOf(await load(), name);
  if (isCustomApp(app)) return app;
  throw new TypeError(
    `${file}: the export "${name}" must be a Hono app, or something else with a fetch method.`,
  );
}
