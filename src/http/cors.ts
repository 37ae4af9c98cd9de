/** Which pages of other origins may call us. Without the option no answer says so, and browsers refuse. */

import { z } from "zod";
import { changeable } from "./respond.ts";

export interface CorsOptions {
  /** `["*"]` for any. Default: any, unless `allowOriginRegex` is given. */
  readonly allowOrigins?: readonly string[] | undefined;
  /** Origins that match as a whole are allowed too. */
  readonly allowOriginRegex?: string | undefined;
  /** Default: GET, HEAD, PUT, POST, DELETE and PATCH. */
  readonly allowMethods?: readonly string[] | undefined;
  /** Default: those that the page asks for. */
  readonly allowHeaders?: readonly string[] | undefined;
  /** Whether pages may send cookies; needs origins that are named. */
  readonly allowCredentials?: boolean | undefined;
  /** More than those that clients of ours read, which always are. */
  readonly exposeHeaders?: readonly string[] | undefined;
  /** For how long a browser may keep the answer to a preflight. */
  readonly maxAgeSeconds?: number | undefined;
}

const Texts = z.array(z.string().min(1)).optional();

export const Cors = z
  .strictObject({
    allowOrigins: Texts,
    allowOriginRegex: z.string().refine(isPattern, "must be a regular expression").optional(),
    allowMethods: Texts,
    allowHeaders: Texts,
    allowCredentials: z.boolean().optional(),
    exposeHeaders: Texts,
    maxAgeSeconds: z.int().min(0).optional(),
  })
  .refine(
    ({ allowCredentials, allowOrigins, allowOriginRegex }) =>
      allowCredentials !== true ||
      (allowOrigins === undefined ? allowOriginRegex !== undefined : !allowOrigins.includes("*")),
    'allowCredentials needs origins that are named: browsers refuse it together with "*"',
  );

type Fetch<Invocation> = (request: Request, invocation: Invocation) => Promise<Response>;

const METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"];
const EXPOSED = [
  "content-location",
  "location",
  "x-pagination-total",
  "x-pagination-next",
  "retry-after",
  "ratelimit",
  "ratelimit-policy",
  "x-request-id",
];

/** Preflights are answered before anything else is asked, as they carry no key. @see https://fetch.spec.whatwg.org/#http-cors-protocol */
export function withCors<Invocation>(options: CorsOptions, fetch: Fetch<Invocation>): Fetch<Invocation> {
  const allowed = originRule(options);
  const exposed = [
    ...new Set([...EXPOSED, ...(options.exposeHeaders ?? []).map((name) => name.toLowerCase())]),
  ];
  return async (request, invocation) => {
    const origin = allowed(request.headers.get("origin"));
    if (isPreflight(request)) return preflightAnswer(options, origin, request);
    const response = changeable(await fetch(request, invocation));
    addOrigin(response.headers, options, origin);
    if (origin !== null) response.headers.set("access-control-expose-headers", exposed.join(","));
    return response;
  };
}

/** What to answer to an origin: itself, `*`, or null for one that is not allowed. */
function originRule(options: CorsOptions): (origin: string | null) => string | null {
  const { allowOriginRegex } = options;
  const allowOrigins = options.allowOrigins ?? (allowOriginRegex === undefined ? ["*"] : []);
  const pattern = allowOriginRegex === undefined ? undefined : new RegExp(`^(?:${allowOriginRegex})$`);
  return (origin) => {
    if (allowOrigins.includes("*")) return "*";
    if (origin === null) return null;
    return allowOrigins.includes(origin) || pattern?.test(origin) === true ? origin : null;
  };
}

function isPreflight({ method, headers }: Request): boolean {
  return method === "OPTIONS" && headers.has("origin") && headers.has("access-control-request-method");
}

function preflightAnswer(options: CorsOptions, origin: string | null, request: Request): Response {
  const headers = new Headers();
  addOrigin(headers, options, origin);
  if (origin !== null) {
    const { allowMethods = METHODS, maxAgeSeconds } = options;
    const asked = request.headers.get("access-control-request-headers");
    const allowHeaders = options.allowHeaders?.join(",") ?? asked;
    headers.set("access-control-allow-methods", allowMethods.join(","));
    if (allowHeaders !== null) headers.set("access-control-allow-headers", allowHeaders);
    if (options.allowHeaders === undefined) headers.append("vary", "Access-Control-Request-Headers");
    if (maxAgeSeconds !== undefined) headers.set("access-control-max-age", String(maxAgeSeconds));
  }
  return new Response(null, { status: 204, headers });
}

function addOrigin(headers: Headers, { allowCredentials }: CorsOptions, origin: string | null): void {
  if (origin !== "*") headers.append("vary", "Origin");
  if (origin === null) return;
  headers.set("access-control-allow-origin", origin);
  if (allowCredentials === true) headers.set("access-control-allow-credentials", "true");
}

function isPattern(text: string): boolean {
  try {
    return new RegExp(text) instanceof RegExp;
  } catch {
    return false;
  }
}
