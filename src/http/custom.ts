/** Routes and middleware of the user's own, in front of ours. */

import type { Context, Hono, MiddlewareHandler } from "hono";
import { matchedRoutes } from "hono/route";
import type { Caller } from "../core/auth.ts";
import type { AuthLevel, Invocation, User } from "../core/model.ts";

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

/** What the host says of a request, and what its answer is to say besides. */
export interface Asked {
  readonly invocation: Invocation;
  readonly headers: Headers;
}

interface Env {
  readonly Bindings: Asked;
  readonly Variables: {
    caller?: Caller;
    /** As custom routes of the official server find it. */
    auth?: { readonly user: User; readonly scopes: readonly string[] };
  };
}

/** What a route asks of its callers before anything else. */
export type Guard = (request: Request, asked: Asked) => Promise<Caller>;

/**
 * Callers are checked before anything of the user's runs: as by the route of ours that the request would reach, so that
 * a custom route in its place is protected as it was. Other routes find who has signed in as `context.get("auth").user`.
 */
export function addCustomRoutes(
  hono: Hono<Env>,
  { app }: Pick<CustomRoutes, "app">,
  guards: { readonly of: (handler: unknown) => Guard | undefined; readonly others: Guard },
): void {
  const guard: MiddlewareHandler<Env> = async (context, next) => {
    const [ours] = matchedRoutes(context).flatMap(({ handler }) => guards.of(handler) ?? []);
    const caller = await (ours ?? guards.others)(context.req.raw, context.env);
    context.set("caller", caller);
    const { user } = caller;
    if (user !== undefined) context.set("auth", { user, scopes: user.permissions });
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
