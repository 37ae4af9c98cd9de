/** The `Auth` object of the official SDK: its callbacks, asked as the official server asks them. */

import { z } from "zod";
import type { Authenticator, AuthEvent, Grant, MetadataCondition, Policy } from "../core/auth.ts";
import { isIdentity } from "../core/identity.ts";
import type { JsonObject, User } from "../core/model.ts";
import { AppError, type ErrorCode } from "../errors.ts";

/** Of `@langchain/langgraph-sdk/auth`, of whichever copy and version. @see https://docs.langchain.com/langsmith/custom-auth */
export interface AuthObject {
  readonly "~handlerCache": {
    readonly authenticate?: ((request: Request) => unknown) | undefined;
    readonly callbacks?: Readonly<Record<string, Callback>> | undefined;
  };
}

type Callback = (asked: never) => unknown;

export function isAuthObject(value: unknown): value is AuthObject {
  if (typeof value !== "object" || value === null || !("~handlerCache" in value)) return false;
  const cache = value["~handlerCache"];
  return typeof cache === "object" && cache !== null;
}

/** Whom LangGraph Studio is taken for where it is let in; `isStudioUser` of the SDK knows it. */
const STUDIO_USER: User = {
  kind: "StudioUser",
  identity: "langgraph-studio-user",
  display_name: "langgraph-studio-user",
  is_authenticated: true,
  permissions: [],
};

/** @param allowsStudio lets LangGraph Studio in, which says that it is it, and proves nothing */
export function authObject(
  auth: AuthObject,
  { allowsStudio }: { readonly allowsStudio: boolean },
): Authenticator {
  const { authenticate } = auth["~handlerCache"];
  if (authenticate === undefined)
    throw new TypeError("auth: the Auth object has no authenticate callback; nobody could sign in");
  return {
    challenge: "Bearer",
    authenticate: async (request) => {
      if (allowsStudio && request.headers.get("x-auth-scheme") === "langsmith") return STUDIO_USER;
      try {
        return toUser(await authenticate(request));
      } catch (error) {
        throw chosen(error);
      }
    },
    policy: policyOf(auth),
  };
}

const Identified = z.looseObject({
  identity: z.string().refine(isIdentity),
  display_name: z.string().optional(),
  is_authenticated: z.boolean().default(true),
  permissions: z.array(z.string()).catch([]),
});

/** @throws TypeError for what tells no identity */
function toUser(answer: unknown): User {
  const found = Identified.safeParse(typeof answer === "string" ? { identity: answer } : answer);
  if (!found.success)
    throw new TypeError("auth: authenticate() must return a text, or an object with an identity");
  const { identity, display_name = identity } = found.data;
  return { ...found.data, display_name };
}

function policyOf({ "~handlerCache": { callbacks = {} } }: AuthObject): Policy {
  const callbackOf = (event: string): Callback | undefined => {
    const [resource = "", action = ""] = event.split(":");
    return [event, resource, `*:${action}`, "*"].flatMap((name) => callbacks[name] ?? [])[0];
  };
  const storeActions = ["put", "get", "search", "list_namespaces", "delete"];
  return {
    decidesStore: storeActions.some((action) => callbackOf(`store:${action}`) !== undefined),
    decide: async (user, event, asked) => {
      const callback = callbackOf(event);
      return callback === undefined ? null : decide(callback, { user, event, asked });
    },
  };
}

interface Question<Value> {
  readonly user: User;
  readonly event: AuthEvent;
  readonly asked: Value;
}

async function decide<Value extends JsonObject>(
  callback: Callback,
  { user, event, asked }: Question<Value>,
): Promise<Grant<Value>> {
  const [resource, action] = event.split(":");
  const value = structuredClone(asked); // a callback may change it
  let answer: unknown;
  try {
    const question = { event, resource, action, value, user, permissions: [...user.permissions] };
    answer = await Reflect.apply(callback, undefined, [question]);
  } catch (error) {
    throw chosen(error);
  }
  checkChanges(event, asked, value);
  if (answer === null || answer === undefined || answer === true) return { value, scope: {} };
  if (answer === false) throw new Refused(403, "Forbidden");
  return { value, scope: { metadata: conditionsOf(event, answer) } };
}

/** What callbacks make of a value goes on as it is: it must still be what it was, of a kind. @throws TypeError */
function checkChanges(event: AuthEvent, before: JsonObject, after: JsonObject): void {
  for (const [name, old] of Object.entries(before)) {
    if (old === undefined || old === null || kindOf(after[name]) === kindOf(old)) continue;
    throw new TypeError(`auth: the callback of ${event} has made value.${name} a ${kindOf(after[name])}`);
  }
}

function kindOf(value: unknown): string {
  return Array.isArray(value) ? "list" : typeof value;
}

const Operators = z.union([z.strictObject({ $eq: z.unknown() }), z.strictObject({ $contains: z.unknown() })]);

/** @throws TypeError for a filter that is none: nobody could say what it lets pass */
function conditionsOf(event: AuthEvent, filter: unknown): readonly MetadataCondition[] {
  if (typeof filter !== "object" || filter === null || Array.isArray(filter))
    throw new TypeError(`auth: the callback of ${event} must return a filter, a boolean or nothing`);
  return Object.entries(filter).map(([field, wanted]: [string, unknown]): MetadataCondition => {
    if (typeof wanted !== "object" || wanted === null) return { field, is: wanted };
    const found = Operators.safeParse(wanted);
    if (!found.success)
      throw new TypeError(`auth: the filter of ${event} for ${field} must be a value, $eq or $contains`);
    if ("$eq" in found.data) return { field, is: found.data.$eq };
    return { field, contains: [found.data.$contains].flat() };
  });
}

const HttpException = z.object({
  status: z.int().min(400).max(599),
  headers: z.unknown(),
  message: z.string().catch(""),
});

/** The answer that a callback chose by throwing the SDK's HTTPException; other errors are the server's. */
function chosen(error: unknown): unknown {
  const found = HttpException.safeParse(error);
  if (!(error instanceof Error) || !found.success || !("headers" in error)) return error;
  const { status, message, headers } = found.data;
  return new Refused(status, message, headers);
}

const CODES: ReadonlyMap<number, ErrorCode> = new Map([
  [401, "unauthorized"],
  [403, "forbidden"],
  [404, "not_found"],
  [422, "invalid_request"],
  [503, "unavailable"],
]);

/** An answer of a callback's; where there is no HTTP around it, an error of the kind that comes nearest. */
class Refused extends AppError {
  readonly #status: number;
  readonly #headers: Headers;

  constructor(status: number, message: string, headers: unknown = {}) {
    super(CODES.get(status) ?? (status < 500 ? "forbidden" : "internal"), message);
    this.#status = status;
    this.#headers = new Headers(Object.entries(z.record(z.string(), z.string()).catch({}).parse(headers)));
  }

  /** As the router asks errors that have one. */
  getResponse(): Response {
    const body = { error: this.code, detail: this.message };
    const headers = { "cache-control": "no-store", ...Object.fromEntries(this.#headers) };
    return Response.json(body, { status: this.#status, headers });
  }
}
