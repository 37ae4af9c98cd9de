/** Routes and middleware of the user's own, in front of ours. */

import type { Context, Hono, MiddlewareHandler } from "hono";
import { matchedRoutes } from "hono/route";
import type { AuthLevel, Invocation } from "../core/model.ts";

/**
 * A Hono app, whose routes come before ours and whose middleware sees our requests too; or anything else with a
 * `fetch`, which gets what no route of ours takes. Paths are below the app's prefix.
 */
export interface CustomApp {
  readonly fetch: (request: Request) => Response | Promise<Response>;
}

export interface CustomRoutes {
  readonly app: CustomApp;
  /** What callers of routes that are not ours need. */
  readonly authLevel: AuthLevel;
}

interface Asked {
  readonly invocation: Invocation;
  readonly headers: Headers;
}

interface Env {
  readonly Bindings: Asked;
}

/** How callers are checked. */
export interface Guard {
  /** The level that a handler of ours asks for; undefined for any other handler. */
  readonly levelOf: (handler: unknown) => AuthLevel | undefined;
  /** Rejects for callers whose key does not open that level. */
  readonly check: (needed: AuthLevel, asked: Asked) => Promise<void>;
}

/**
 * Callers are checked before anything of the user's runs: for the level of the route of ours that the request would
 * reach, so that a custom route in its place is protected as it was.
 */
export function addCustomRoutes(
  hono: Hono<Env>,
  { app, authLevel }: CustomRoutes,
  { levelOf, check }: Guard,
): void {
  const guard: MiddlewareHandler<Env> = async (context, next) => {
    const levels = matchedRoutes(context).flatMap(({ handler }) => levelOf(handler) ?? []);
    await check(levels[0] ?? authLevel, context.env);
    await next();
  };
  hono.use("*", guard);
  if (isHono(app)) hono.route("/", app);
}

/** The answer of an app that is not Hono's; undefined when there is none to ask. */
export async function customAnswer(
  custom: CustomRoutes | undefined,
  { request, prefix }: { readonly request: Request; readonly prefix: string },
): Promise<Response | undefined> {
  if (custom === undefined || isHono(custom.app)) return undefined;
  const url = new URL(request.url);
  const base = prefix === "" ? "" : `/${prefix}`;
  if (!`${url.pathname}/`.startsWith(`${base}/`)) return undefined;
  url.pathname = url.pathname.slice(base.length) || "/";
  return custom.app.fetch(new Request(url, request));
}

/** As it came, though a middleware may have read its body through Hono. */
export async function unreadRequest({ req }: Context): Promise<Request> {
  if (!req.raw.bodyUsed) return req.raw;
  const { url, method, headers, signal } = req.raw;
  return new Request(url, { method, headers, signal, body: await req.arrayBuffer() });
}

/** Of whichever copy of the library. */
function isHono(app: CustomApp): app is Hono {
  return "routes" in app && Array.isArray(app.routes) && "route" in app && typeof app.route === "function";
}
