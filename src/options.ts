/** What `new LangGraphApp()` takes, checked. */

import { z } from "zod";
import { Checks, type CheckOptions } from "./checks.ts";
import type { Authentication } from "./core/auth.ts";
import type { AuthLevel, ThreadTtl, PruneStrategy } from "./core/model.ts";
import type { LogWriter } from "./core/logger.ts";
import type { Check } from "./core/status.ts";
import { isAuthObject, type AuthObject } from "./http/auth-object.ts";
import { Cors, type CorsOptions } from "./http/cors.ts";
import type { CustomApp } from "./http/custom.ts";
import { FEATURES, type Feature } from "./http/features.ts";
import { Store, type StoreOptions } from "./store-options.ts";
import { Webhooks, type WebhookOptions } from "./webhook-options.ts";

export { FEATURES, isAuthObject, type AuthObject, type CorsOptions, type CustomApp, type Feature };

export interface AppOptions {
  /**
   * How it becomes known who calls: `jwt(…)`, `apiKeys()`, the `Auth` object of the official SDK, or a function that loads
   * one, with the first request. What callers make is theirs alone then. `host`: a web framework around this app says who
   * calls, as `app.fetch(request, { user })`; without, requests are refused. `none`: nobody is asked; a deployment
   * without access control must say so. Default: function keys, which open endpoints and do not tell callers apart.
   */
  readonly auth?: AuthOption | undefined;
  /** The function key that callers need where a graph does not say otherwise. Default: `function`; with `auth`, `anonymous`. */
  readonly authLevel?: AuthLevel;
  /**
   * Lets LangGraph Studio in, which only says that it is it: for an `Auth` object on a developer's own machine. No
   * deployment starts with it. Default: false.
   */
  readonly allowStudio?: boolean | undefined;
  /** How callers sign in, for the OpenAPI document; any one of them will do. Default: as `auth` says, if it does. */
  readonly securitySchemes?: Readonly<Record<string, object>> | undefined;
  /** Which of the `securitySchemes` go together, with which scopes, as OpenAPI has it; one of these will do. Default: each alone. */
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[] | undefined;
  /** Whether `/docs` and `/openapi.json` are there for callers who have not signed in. Default: false. */
  readonly publicDocs?: boolean | undefined;
  /** The path below which everything is served, without slashes; as in host.json. Default: `api`. */
  readonly routePrefix?: string;
  /** `buffered` collects a stream into one response, for gateways that cannot stream. Default: `live`. */
  readonly streaming?: "live" | "buffered";
  /** Of a buffered stream. Default: 1 MiB. */
  readonly maxStreamResponseBytes?: number;
  readonly limits?: {
    /** Of a request. Default: 1 MiB. */
    readonly maxBodyBytes?: number;
    /** Of objects and arrays in each other. Default: 32. */
    readonly maxDepth?: number;
    /** Object members and array items of a request's input. Default: 10,000. */
    readonly maxNodes?: number;
    /** Of one message's text. Default: 10,000. */
    readonly maxMessageCharacters?: number;
    /**
     * Answers that one caller may hold open at a time, across all instances: streams, and those that wait for a run.
     * Default: no limit.
     */
    readonly maxStreams?: number;
    /** Runs of one caller that wait or execute, across all instances; those of crons aside. Default: no limit. */
    readonly maxRuns?: number;
  };
  /** Requests that one caller may send in a period, counted across all instances. Default: no limit. */
  readonly rateLimit?: { readonly requests: number; readonly perSeconds: number };
  /** Threads that are made without saying how long they are kept, those that runs make among them. */
  readonly threads?: {
    readonly ttl?: {
      /** Minutes that they are kept after they are made. Default: for ever. */
      readonly default_ttl?: number | undefined;
      /** `keep_latest` keeps a thread with its newest state, and forgets how it came to it. Default: `delete`. */
      readonly strategy?: PruneStrategy | undefined;
    };
  };
  /** The store that graphs and clients share. */
  readonly store?: StoreOptions;
  /** Whether `/health`, which needs no key, lists the graphs; `/health/details` always does. Default: true. */
  readonly healthListsGraphs?: boolean;
  /**
   * What the graphs need besides, asked by `/status`: `{ "vector database": async (signal) => … }`. A check that throws,
   * gives `false` or a `Response` that is not ok, or takes too long says that it is down.
   */
  readonly checks?: Readonly<Record<string, Check | CheckOptions>> | undefined;
  /** Whether `/status/summary`, which says no more than `ok`, `degraded` or `down`, needs no key. Default: false. */
  readonly publicStatus?: boolean;
  /** Which pages of other origins may call the API. Default: none. */
  readonly cors?: CorsOptions | undefined;
  /**
   * Routes and middleware of your own below the same path: a Hono app, or anything with a `fetch`; or a loader of one,
   * which the first request follows. Callers need `authLevel`, as of any other route.
   */
  readonly customRoutes?: CustomApp | (() => Promise<CustomApp>) | undefined;
  /** Parts of the API that are not to be served. */
  readonly disable?: readonly Feature[] | undefined;
  /**
   * The headers of a request that graphs find in their config, as `configurable["x-user-id"]`: those that begin with `x-`,
   * and `user-agent`. What looks like a credential is left out, unless it is named here in full.
   */
  readonly configurableHeaders?: {
    /** These as well; `*` stands for any part. */
    readonly includes?: readonly string[] | undefined;
    /** Not these; stronger than `includes`. */
    readonly excludes?: readonly string[] | undefined;
  };
  /** The calls that clients ask for when they start a run, and that are made when it has ended. */
  readonly webhooks?: WebhookOptions;
  /** Of the OpenAPI document. */
  readonly title?: string;
  readonly description?: string;
  /** Where logs go; JSON lines on standard output if absent. Takes a pino, console or Powertools logger. */
  readonly logger?: LogWriter;
}

export type AuthOption =
  "none" | "host" | Authentication | AuthObject | (() => AuthObject | Promise<AuthObject>);

const Ttl = z
  .strictObject({
    default_ttl: z.number().gt(0).max(52_560_000).optional(),
    strategy: z.enum(["delete", "keep_latest"]).default("delete"),
  })
  .transform(({ default_ttl, strategy }): ThreadTtl | undefined =>
    default_ttl === undefined ? undefined : { ttl_minutes: default_ttl, strategy },
  );

const Count = z.int().min(1);

const HeaderPattern = z
  .string()
  .regex(/^[\w*-]+$/, "must be a header's name, or a part of one with `*` for the rest");

const Auth = z.custom<AuthOption>(
  (value) =>
    value === "none" ||
    value === "host" ||
    typeof value === "function" ||
    isAuthentication(value) ||
    isAuthObject(value),
  'must be "none", "host", jwt(…), apiKeys(), an Auth object of the SDK, or a function that loads one',
);

const Options = z.strictObject({
  auth: Auth.optional(),
  authLevel: z.enum(["anonymous", "function", "admin"]).optional(),
  allowStudio: z.boolean().default(false),
  securitySchemes: z.record(z.string().regex(/^[\w.-]+$/), z.record(z.string(), z.unknown())).optional(),
  security: z
    .array(z.record(z.string(), z.array(z.string())))
    .min(1)
    .optional(),
  publicDocs: z.boolean().default(false),
  routePrefix: z
    .string()
    .regex(/^([\w-]+(\/[\w-]+)*)?$/, 'must be like "api" or "agents/api", without slashes around it')
    .default("api"),
  streaming: z.enum(["live", "buffered"]).default("live"),
  maxStreamResponseBytes: Count.default(1_048_576),
  limits: z
    .strictObject({
      maxBodyBytes: Count.default(1_048_576),
      maxDepth: Count.default(32),
      maxNodes: Count.default(10_000),
      maxMessageCharacters: Count.default(10_000),
      maxStreams: Count.optional(),
      maxRuns: Count.optional(),
    })
    .prefault({}),
  rateLimit: z.strictObject({ requests: Count, perSeconds: Count }).optional(),
  threads: z.strictObject({ ttl: Ttl.optional() }).prefault({}),
  store: Store.prefault({}),
  healthListsGraphs: z.boolean().default(true),
  checks: Checks,
  publicStatus: z.boolean().default(false),
  cors: Cors.optional(),
  customRoutes: z
    .custom<CustomApp | (() => Promise<CustomApp>)>(
      (value) => typeof value === "function" || isCustomApp(value),
      "must be a Hono app, something else with a fetch method, or a function that loads one",
    )
    .optional(),
  disable: z.array(z.enum(FEATURES)).default([]),
  configurableHeaders: z
    .strictObject({
      includes: z.array(HeaderPattern).default([]),
      excludes: z.array(HeaderPattern).default([]),
    })
    .prefault({}),
  webhooks: Webhooks,
  title: z.string().default("LangGraph functions"),
  description: z.string().default("Agents as an HTTP API."),
  logger: z.custom<LogWriter>(isLogWriter, "must have the functions info, warn and error").optional(),
});

export type ParsedOptions = z.output<typeof Options> & { readonly authLevel: AuthLevel };

/** @throws TypeError that names each option that is wrong and what it must be */
export function parseOptions(options: AppOptions): ParsedOptions {
  const result = Options.safeParse(options);
  if (result.success) {
    const { auth, authLevel = auth === undefined ? "function" : "anonymous" } = result.data;
    return { ...result.data, authLevel };
  }
  const problems = result.error.issues.map(
    ({ path, message }) => `${path.join(".") || "options"}: ${message}`,
  );
  throw new TypeError(`new LangGraphApp(): ${problems.join("; ")}`);
}

export function isAuthentication(value: unknown): value is Authentication {
  return typeof value === "object" && value !== null && "open" in value && typeof value.open === "function";
}

export function isCustomApp(value: unknown): value is CustomApp {
  return typeof value === "object" && value !== null && "fetch" in value && typeof value.fetch === "function";
}

function isLogWriter(value: unknown): value is LogWriter {
  if (typeof value !== "object" || value === null) return false;
  const functions = ["info", "warn", "error"].map((level): unknown => Reflect.get(value, level));
  return functions.every((log) => typeof log === "function");
}
