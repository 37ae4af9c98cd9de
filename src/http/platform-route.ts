/** How routes of the Platform API are made: what those of one noun have in common is said once. */

import { z } from "zod";
import type { AuthLevel } from "../core/model.ts";
import type { Route, RouteDocs } from "./router.ts";

export interface PlatformRoute
  extends Omit<RouteDocs, "operationId" | "summary" | "tag">, Pick<Route, "permission" | "handle"> {
  /** Made of the endpoint, if absent. */
  readonly operationId?: string;
}

export type MakeRoute = (
  endpoint: `${Route["method"]} ${string}`,
  summary: string,
  route: PlatformRoute,
) => Route;

const Endpoint = z.tuple([z.enum(["GET", "POST", "PUT", "PATCH", "DELETE"]), z.string()]);

/** `errors` is what each of the routes may answer besides. */
export function platformRoute(
  authLevel: AuthLevel,
  tag: string,
  errors: Readonly<Record<number, string>>,
): MakeRoute {
  return (endpoint, summary, { permission, handle, responses, ...docs }) => {
    const [method, path] = Endpoint.parse(endpoint.split(" "));
    const operationId = `${method.toLowerCase()}${path.replaceAll(/\W+/g, "_").replace(/_$/, "")}`;
    return {
      method,
      path,
      authLevel,
      permission,
      isRateLimited: true,
      handle,
      docs: { operationId, summary, tag, ...docs, responses: { ...errors, ...responses } },
    };
  };
}
