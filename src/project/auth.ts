/** `auth.path` of a LangGraph project: a file that exports an `Auth` object. */

import { isAuthObject, type AuthObject } from "../options.ts";
import { exportOf, type ProjectExport } from "./graph.ts";

/** @throws TypeError when the file exports no `Auth` object, or one that lets nobody sign in */
export async function loadAuth({ load, name, file }: ProjectExport): Promise<AuthObject> {
  const auth: unknown = await exportOf(await load(), name);
  if (!isAuthObject(auth))
    throw new TypeError(
      `${file}: the export "${name}" must be an Auth object of @langchain/langgraph-sdk/auth.`,
    );
  if (auth["~handlerCache"].authenticate === undefined)
    throw new TypeError(
      `${file}: the Auth object has no authenticate callback, so that nobody could sign in.`,
    );
  return auth;
}
