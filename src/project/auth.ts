/** `auth.path` of a LangGraph project: a file that exports an `Auth` object. */

import { isAuthObject, type AuthObject } from "../http/auth-object.ts";
import { exportOf, type ProjectExport } from "./graph.ts";

/** @throws TypeError when the file exports no `Auth` object */
export async function loadAuth({ load, name, file }: ProjectExport): Promise<AuthObject> {
  const auth: unknown = await exportOf(await load(), name);
  if (isAuthObject(auth)) return auth;
  throw new TypeError(
    `${file}: the export "${name}" must be an Auth object of @langchain/langgraph-sdk/auth.`,
  );
}
