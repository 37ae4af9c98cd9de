/** The first door of an app: its routes, and what the user has put before them. */

import type { Clock } from "./clock.ts";
import type { Graph, GraphRegistry } from "./core/graphs.ts";
import type { Doors } from "./core/model.ts";
import { openStatus } from "./core/status.ts";
import type { AppParts } from "./app-parts.ts";
import { withCors } from "./http/cors.ts";
import { isServed } from "./http/features.ts";
import { infoRoutes } from "./http/info.ts";
import type { SignInWay } from "./http/openapi.ts";
import { backgroundRoutes } from "./http/native-runs.ts";
import { graphRoutes } from "./http/native.ts";
import { withRequestId } from "./http/request-id.ts";
import { withRequestSpan } from "./http/request-span.ts";
import { errorResponse } from "./http/respond.ts";
import { resumeRoutes } from "./http/resume.ts";
import { createRouter, type Route, type RouterOptions } from "./http/router.ts";
import { withSecurityHeaders } from "./http/security-headers.ts";
import { statusRoutes } from "./http/status.ts";
import { systemRoutes } from "./http/system.ts";
import { once } from "./once.ts";
import { isAuthentication, isCustomApp, type ParsedOptions } from "./options.ts";
import { VERSION } from "./version.ts";

export interface AppRoutes {
  /** The routes that hosts register one by one; the others are behind the catch-all. */
  readonly native: readonly Route[];
  /** Of the Platform's, those that cost nothing to make. */
  readonly info: readonly Route[];
  readonly platform: () => Promise<readonly Route[]>;
}

export function makeRoutes(options: ParsedOptions, graphs: GraphRegistry, parts: AppParts): AppRoutes {
  const { title, description, authLevel, publicDocs, healthListsGraphs, disable, limits } = options;
  const { streaming, maxStreamResponseBytes, configurableHeaders } = options;
  const isEnabled = (route: Route): boolean => isServed(route, disable);
  const deps = {
    ...parts,
    graphs,
    limits,
    streaming,
    maxStreamResponseBytes,
    configurableHeaders,
    authLevel,
    signInSchemes: signInSchemes(options),
    signInWays: signInWays(options),
  };
  const info = infoRoutes(parts).filter(isEnabled);
  const platform = once(async () => {
    const [{ platformRoutes }, { graphInspector }] = await Promise.all([
      import("./http/platform.ts"),
      import("./engine/drawings.ts"),
    ]);
    return platformRoutes({ ...deps, inspector: graphInspector }).filter(isEnabled);
  });
  const native = graphs
    .list()
    .flatMap((graph) => [...graphRoutes(deps, graph), ...backgroundRoutes(deps, graph)]);
  const openApi = once(async () => {
    const { openApiDocument } = await import("./http/openapi.ts");
    const routes = [...native, ...info, ...(await platform())];
    const about = {
      title,
      description,
      version: VERSION,
      signInSchemes: deps.signInSchemes,
      signInWays: deps.signInWays,
    };
    return openApiDocument(about, routes);
  });
  const list = (): readonly Graph[] => graphs.list();
  const system = systemRoutes({ graphs: list, authLevel, publicDocs, healthListsGraphs, title, openApi });
  const hasUsers = options.auth !== undefined && options.auth !== "none";
  const readStatus = openStatus({ ...parts, checks: options.checks });
  const status = statusRoutes({ authLevel, hasUsers, publicStatus: options.publicStatus, readStatus });
  native.push(...system.filter(isEnabled), ...status, ...resumeRoutes(deps).filter(isEnabled));
  return { native, info, platform };
}

/** None where nobody signs in. */
function signInSchemes({ auth, securitySchemes = {} }: ParsedOptions): Readonly<Record<string, object>> {
  if (auth === undefined || auth === "none") return {};
  if (Object.keys(securitySchemes).length > 0) return securitySchemes;
  return { signIn: (isAuthentication(auth) ? auth.securityScheme : undefined) ?? BEARER };
}

/** @throws TypeError that names a scheme which is not described */
function signInWays(options: ParsedOptions): readonly SignInWay[] {
  const names = Object.keys(signInSchemes(options));
  const { security = names.map((name) => ({ [name]: [] })) } = options;
  const unknown = security.flatMap((way) => Object.keys(way)).find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw new TypeError(`new LangGraphApp(): security: ${unknown} is not among the securitySchemes`);
  return security;
}

/** What most `Auth` objects and frameworks look at. */
const BEARER = { type: "http", scheme: "bearer" };

export function openFetch(
  { cors, customRoutes, authLevel, routePrefix: prefix }: ParsedOptions,
  { native, info, platform }: AppRoutes,
  rest: Pick<RouterOptions, "logger" | "limiter" | "authenticator" | "streamLimit"> & {
    readonly clock: Clock;
  },
): Doors["fetch"] {
  const router = { ...rest, prefix, routes: [...native, ...info], platform };
  const open = once(async () => {
    const app = typeof customRoutes === "function" ? await customRoutes() : customRoutes;
    if (!isCustomApp(app)) throw new TypeError("customRoutes: what was loaded has no fetch method");
    // All in one, so that the user's middleware goes before each.
    const routes = [...router.routes, ...(await platform())];
    return createRouter({ ...router, routes, platform: async () => [], custom: { app, authLevel } });
  });
  const withCustomRoutes: Doors["fetch"] = async (request, invocation) => {
    try {
      return await (
        await open()
      )(request, invocation);
    } catch (error) {
      return errorResponse(error, rest.logger);
    }
  };
  const fetch = customRoutes === undefined ? createRouter(router) : withCustomRoutes;
  const answer = cors === undefined ? fetch : withCors(cors, fetch);
  const secured = withSecurityHeaders(answer, { isShared: cors !== undefined });
  return withRequestSpan(withRequestId(secured), rest.clock);
}
