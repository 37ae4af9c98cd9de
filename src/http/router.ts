/** The first door: routes are data, so that the router, the OpenAPI document and the hosts' functions agree. */

import { Hono, type Context } from "hono";
import type { z } from "zod";
import type { AuthLevel, Invocation } from "../core/model.ts";
import type { Logger, RateLimiter } from "../core/ports.ts";
import { AppError } from "../errors.ts";
import { identity, requireLevel } from "./authenticate.ts";
import { errorResponse } from "./respond.ts";

export interface Call {
  readonly request: Request;
  /** The path of the request, below the prefix. */
  readonly path: string;
  /** The values of the path's parameters, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly invocation: Invocation;
}

/** What the OpenAPI document says of a route. */
export interface RouteDocs {
  readonly operationId: string;
  readonly summary: string;
  readonly tag: string;
  readonly body?: z.ZodType;
  /** By status; a string is the description of an answer whose schema is the error's. */
  readonly responses: Readonly<Record<number, string | AnswerDocs>>;
}

export interface AnswerDocs {
  readonly description: string;
  readonly contentType?: string;
  /** Absent for an answer without a body. */
  readonly schema?: z.ZodType;
}

export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** An OpenAPI path template below the prefix: `/graphs/chat/threads/{thread_id}/state`. */
  readonly path: string;
  /** The key level that callers need. */
  readonly authLevel: AuthLevel;
  readonly isRateLimited: boolean;
  /** Of the Platform API, which function hosts serve by their catch-all. */
  readonly isPlatform?: boolean;
  readonly docs: RouteDocs;
  readonly handle: (call: Call) => Response | Promise<Response>;
}

export interface RouterOptions {
  readonly routes: readonly Route[];
  /** Those that are asked for when no other fits: a cold function that answers `/health` never builds them. */
  readonly platform: () => Promise<readonly Route[]>;
  /** Without slashes: `api`; empty for none. */
  readonly prefix: string;
  readonly logger: Logger;
  readonly limiter: () => Promise<RateLimiter | undefined>;
}

interface Env {
  readonly Bindings: { readonly invocation: Invocation };
}

/** Always resolves to a response. */
export function createRouter(
  options: RouterOptions,
): (request: Request, invocation: Invocation) => Promise<Response> {
  let platform: Hono<Env> | undefined;
  const native = honoOf(options, options.routes).notFound(async ({ req, env }) => {
    platform ??= honoOf(options, await options.platform()).notFound((context) => {
      throw new AppError("not_found", `There is nothing at ${context.req.method} ${context.req.path}`);
    });
    return platform.fetch(req.raw, env);
  });
  return async (request, invocation) => native.fetch(request, { invocation });
}

function honoOf(options: RouterOptions, routes: readonly Route[]): Hono<Env> {
  const hono = new Hono<Env>({ strict: false }).basePath(options.prefix === "" ? "/" : `/${options.prefix}`);
  for (const route of routes)
    hono.on(route.method, honoPath(route.path), (context) => serve(options, route, context));
  for (const path of new Set(routes.map((route) => route.path)))
    hono.all(honoPath(path), refuseMethod(options.logger, routes, path));
  hono.onError((error) => errorResponse(error, options.logger));
  return hono;
}

async function serve(
  { limiter, prefix }: RouterOptions,
  route: Route,
  context: Context<Env>,
): Promise<Response> {
  const { invocation } = context.env;
  const request = context.req.raw;
  requireLevel(route.authLevel, invocation.authLevel);
  if (route.isRateLimited) await (await limiter())?.take(identity(request, invocation));
  const { pathname } = new URL(request.url);
  const path = prefix === "" ? pathname : pathname.slice(prefix.length + 1);
  return route.handle({ request, path, params: context.req.param(), invocation });
}

function refuseMethod(
  logger: Logger,
  routes: readonly Route[],
  path: string,
): (context: Context<Env>) => Response {
  const allowed = routes.filter((route) => route.path === path).map((route) => route.method);
  return (context) => {
    const response = errorResponse(
      new AppError("method_not_allowed", `${context.req.method} is not among ${allowed.join(", ")}`),
      logger,
    );
    response.headers.set("allow", allowed.join(", "));
    return response;
  };
}

function honoPath(template: string): string {
  return template.replaceAll(/\{(\w+)\}/g, ":$1");
}
