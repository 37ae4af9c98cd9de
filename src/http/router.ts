/** The first door: routes are data, so that the router, the OpenAPI document and the hosts' functions agree. */

import { Hono, type Context } from "hono";
import type { z } from "zod";
import type { Authenticator, Caller, Permission } from "../core/auth.ts";
import type { AuthLevel, Invocation } from "../core/model.ts";
import type { RateLimiter } from "../core/rate-limits.ts";
import type { Logger } from "../core/logger.ts";
import type { StreamLimit } from "../core/streams.ts";
import { AppError } from "../errors.ts";
import { identity, requireLevel, signIn } from "./authenticate.ts";
import { checkEncoding } from "./body.ts";
import {
  addCustomRoutes,
  customAnswer,
  unreadRequest,
  type Asked,
  type CustomRoutes,
  type Guard,
} from "./custom.ts";
import type { AnswerHeader, RequestHeader } from "./openapi-headers.ts";
import { limitFailures, takeRequest } from "./rate-limits.ts";
import { checkDeclared, watchCaller } from "./permission.ts";
import { routeIs } from "./request-span.ts";
import { changeable, errorResponse } from "./respond.ts";
import { heldAnswer } from "./streams.ts";

export interface Call {
  readonly request: Request;
  /** The path of the request, below the prefix. */
  readonly path: string;
  /** The values of the path's parameters, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly invocation: Invocation;
  readonly caller: Caller;
  /** Whose requests, streams and runs count together. */
  readonly identity: () => string;
  /** Before a run is asked for, or followed, by an answer that waits for it. @throws AppError `rate_limited` */
  readonly hold: () => Promise<void>;
}

/** What the OpenAPI document says of a route. */
export interface RouteDocs {
  readonly operationId: string;
  readonly summary: string;
  readonly tag: string;
  /** The parameters of the query. Those of the path are known by their names. */
  readonly query?: z.ZodObject;
  /** The headers that it reads. */
  readonly headers?: readonly RequestHeader[];
  readonly body?: z.ZodType;
  /** Whether all can be said without the body. */
  readonly isBodyOptional?: boolean;
  /** What the body may be as well: the fields of a form. */
  readonly form?: z.ZodType;
  /** By status; a string is the description of an answer whose schema is the error's. What any route may answer is added. */
  readonly responses: Readonly<Record<number, string | AnswerDocs>>;
}

export interface AnswerDocs {
  readonly description: string;
  readonly contentType?: string;
  /** Absent for an answer without a body. */
  readonly schema?: z.ZodType;
  /** The schemas of the same answer in other content types. */
  readonly others?: Readonly<Record<string, z.ZodType>>;
  /** Whether browsers get it as a page; without a schema, others get the error's. */
  readonly isPageToo?: boolean;
  readonly headers?: readonly AnswerHeader[];
}

export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** An OpenAPI path template below the prefix: `/graphs/chat/threads/{thread_id}/state`. */
  readonly path: string;
  /** The key level that callers need. */
  readonly authLevel: AuthLevel;
  /** What callers must be allowed to do. Its handler asks for it before it answers: an answer without is not given. */
  readonly permission: Permission;
  /** Whether it takes callers who have not signed in. */
  readonly isOpen?: boolean;
  readonly isRateLimited: boolean;
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
  /** Undefined where the host alone decides who may call. */
  readonly authenticator: () => Promise<Authenticator | undefined>;
  readonly custom?: CustomRoutes | undefined;
  readonly streamLimit?: StreamLimit | undefined;
}

interface Env {
  readonly Bindings: Asked;
  readonly Variables: { caller?: Caller };
}

/** Always resolves to a response. */
export function createRouter(
  options: RouterOptions,
): (request: Request, invocation: Invocation) => Promise<Response> {
  let platform: Hono<Env> | undefined;
  const native = honoOf(options, options.routes).notFound(async ({ req, env }) => {
    platform ??= honoOf({ ...options, custom: undefined }, await options.platform()).notFound(
      async (context) => otherAnswer(options, context.req.raw, context.env),
    );
    return platform.fetch(req.raw, env);
  });
  return async (request, invocation) => {
    const headers = new Headers();
    const response = changeable(await native.fetch(request, { invocation, headers }));
    for (const [name, value] of headers) response.headers.set(name, value);
    return response;
  };
}

function honoOf(options: RouterOptions, routes: readonly Route[]): Hono<Env> {
  const hono = new Hono<Env>({ strict: false }).basePath(options.prefix === "" ? "/" : `/${options.prefix}`);
  const guards = new Map<unknown, Guard>();
  if (options.custom !== undefined) {
    const others = guardOf(options, ofOthers(options.custom));
    addCustomRoutes(hono, options.custom, { of: (handler) => guards.get(handler), others });
  }
  // In this order `/runs/crons` comes before `/runs/{run_id}`, which would take it.
  for (const path of [...new Set(routes.map((route) => route.path))].toSorted()) {
    for (const route of routes.filter((route) => route.path === path)) {
      checkDeclared(route);
      const guard = guardOf(options, route);
      const handler = async (context: Context<Env>): Promise<Response> =>
        serve({ ...options, guard }, route, context);
      guards.set(handler, guard);
      hono.on(route.method, honoPath(path), handler);
    }
    hono.all(honoPath(path), refuseMethod(options, routes, path));
  }
  hono.onError((error) => chosenResponse(error) ?? errorResponse(error, options.logger));
  return hono;
}

/** What callers of routes that are not ours need. */
function ofOthers({ authLevel }: CustomRoutes): Pick<Route, "authLevel" | "permission"> {
  return { authLevel, permission: "signed-in" };
}

/** @throws AppError `unauthorized`, `forbidden`; what the authenticator throws */
function guardOf(
  { authenticator, limiter }: RouterOptions,
  { authLevel, permission, isOpen = false }: Pick<Route, "authLevel" | "permission" | "isOpen">,
): Guard {
  const rules = { isPublic: permission === "public", isOptional: isOpen };
  return async (request, { invocation, headers }) =>
    limitFailures(await limiter(), invocation, headers, async () => {
      requireLevel(authLevel, invocation.authLevel);
      return signIn(authenticator, request, invocation, rules);
    });
}

/** To what no route takes; never rejects, as what rejects here would go past the user's middleware. */
async function otherAnswer(options: RouterOptions, request: Request, asked: Asked): Promise<Response> {
  const { custom, prefix, logger } = options;
  try {
    if (custom !== undefined) await guardOf(options, ofOthers(custom))(request, asked);
    const answer = await customAnswer(custom, { request, prefix });
    if (answer !== undefined) return answer;
    throw new AppError("not_found", `There is nothing at ${request.method} ${new URL(request.url).pathname}`);
  } catch (error) {
    return chosenResponse(error) ?? errorResponse(error, logger);
  }
}

/** Of an `HTTPException`, which custom routes throw, of whichever copy of Hono; or of one of an `Auth` object's callbacks. */
function chosenResponse(error: unknown): Response | undefined {
  if (!(error instanceof Error) || !("getResponse" in error) || typeof error.getResponse !== "function")
    return undefined;
  const response: unknown = Reflect.apply(error.getResponse, error, []);
  return response instanceof Response ? response : undefined;
}

async function serve(
  { limiter, prefix, custom, guard, streamLimit }: RouterOptions & { readonly guard: Guard },
  route: Route,
  context: Context<Env>,
): Promise<Response> {
  const { invocation, headers } = context.env;
  routeIs(templateOf(prefix, route.path));
  const request = await unreadRequest(context);
  const caller = context.get("caller") ?? (await guard(request, context.env));
  const limits = route.isRateLimited ? await limiter() : undefined;
  const own = (): string => identity(request, invocation, caller);
  if (limits !== undefined) await takeRequest(limits, own(), headers);
  checkEncoding(request);
  const { pathname } = new URL(request.url);
  const path = prefix === "" ? pathname : pathname.slice(prefix.length + 1);
  const { hold, until } = heldAnswer(streamLimit, own);
  const params = storable(context.req.param());
  const watched = watchCaller(caller, route);
  const call = { request, path, params, invocation, caller: watched.caller, identity: own, hold };
  const response = await until(async () => {
    const answer = await route.handle(call);
    if (answer.ok) watched.checkAsked();
    return answer;
  });
  if (request.method === "HEAD") await response.body?.cancel(); // which nobody would ever read
  return custom === undefined ? response : context.newResponse(response.body, response); // with headers of its middleware
}

/** A thread's id has rules of its own. @throws AppError `invalid_request` for text that Postgres cannot store */
function storable(params: Call["params"]): Call["params"] {
  for (const [name, value] of Object.entries(params))
    if (name !== "thread_id" && value.includes("\u0000"))
      throw new AppError("invalid_request", `${name}: has a NUL character`);
  return params;
}

function templateOf(prefix: string, path: string): string {
  return prefix === "" ? path : `/${prefix}${path}`;
}

function refuseMethod(
  { logger, prefix }: Pick<RouterOptions, "logger" | "prefix">,
  routes: readonly Route[],
  path: string,
): (context: Context<Env>) => Response {
  const allowed = routes.filter((route) => route.path === path).map((route) => route.method);
  return (context) => {
    routeIs(templateOf(prefix, path));
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
