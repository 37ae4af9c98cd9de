/** The rules of access: who calls, what they may do, and which of the things that there are they reach. */

import type { Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import type { ApiKeyStore } from "./api-keys.ts";
import { isIdentity, LONGEST_IDENTITY, NOBODY } from "./identity.ts";
import type { JsonObject, User } from "./model.ts";

/** What can be asked for, as the official `Auth` object names it. @see https://docs.langchain.com/langsmith/auth */
export const AUTH_EVENTS = [
  "threads:create",
  "threads:read",
  "threads:update",
  "threads:delete",
  "threads:search",
  "threads:create_run",
  "assistants:create",
  "assistants:read",
  "assistants:update",
  "assistants:delete",
  "assistants:search",
  "crons:create",
  "crons:read",
  "crons:update",
  "crons:delete",
  "crons:search",
  "store:put",
  "store:get",
  "store:search",
  "store:list_namespaces",
  "store:delete",
] as const;
export type AuthEvent = (typeof AUTH_EVENTS)[number];

/** What a route asks of its callers: that one of these is allowed to them; that they have signed in; or nothing. */
export type Permission = AuthEvent | readonly AuthEvent[] | "signed-in" | "public";

/** Which of the resources of a kind a caller reaches. It is a part of each statement about them, never applied after it. */
export interface Scope {
  /** Those that belong to it; undefined for everybody's. */
  readonly owner?: string | undefined;
  /** Those that meet all of these; of a store's items, their value, `namespace` and `key` are asked. */
  readonly metadata?: readonly MetadataCondition[] | undefined;
}

/** On a member of a resource's metadata: it is this, or a list that contains all of these. */
export type MetadataCondition =
  | { readonly field: string; readonly is: unknown }
  | { readonly field: string; readonly contains: readonly unknown[] };

export const EVERYTHING: Scope = {};

/** False where callers are told apart. */
export function isEverything({ owner, metadata = [] }: Scope): boolean {
  return owner === undefined && metadata.length === 0;
}

/** What a caller asked for, as it may go on. */
export interface Grant<Value> {
  /** As it was asked for, with what a handler has changed of it. */
  readonly value: Value;
  readonly scope: Scope;
}

/** On whose behalf something is done. */
export interface Caller {
  /** Undefined when nobody has signed in. */
  readonly user: User | undefined;
  /** Whom belongs what the caller makes; null for nobody, where callers are not told apart. */
  readonly owner: string | null;
  /** Whose part of the store the caller's graphs use; undefined for the one that all share. */
  readonly storeOwner: string | undefined;
  /** @throws AppError `forbidden`; what a handler throws */
  readonly authorize: <Value extends JsonObject>(event: AuthEvent, value: Value) => Promise<Grant<Value>>;
}

/** What an authenticator may use of the server. */
export interface AuthHost {
  readonly apiKeys: ApiKeyStore;
  readonly clock: Clock;
}

/** How it becomes known who calls: `jwt(…)`, `apiKeys()`, or one of your own. */
export interface Authentication {
  /** Called when the first request comes. */
  readonly open: (host: AuthHost) => Authenticator | Promise<Authenticator>;
  /** For the OpenAPI document. @see https://spec.openapis.org/oas/v3.1.0#security-scheme-object */
  readonly securityScheme?: JsonObject | undefined;
}

/** Tells who sends a request, and what they may do. */
export interface Authenticator {
  /**
   * Undefined for a request without credentials.
   * @throws AppError `unauthorized` for wrong ones, or an error with a response of its own: `getResponse()`
   */
  readonly authenticate: (request: Request) => Promise<User | undefined>;
  /** For the header WWW-Authenticate of a 401: `Bearer`. */
  readonly challenge?: string | undefined;
  readonly policy?: Policy | undefined;
}

/** Decides about what signed-in users do, in place of the ownership of what they have made. */
export interface Policy {
  /** Null when it has nothing to say of this; ownership decides then. @throws AppError `forbidden`; what a handler throws */
  readonly decide: <Value extends JsonObject>(
    user: User,
    event: AuthEvent,
    value: Value,
  ) => Promise<Grant<Value> | null>;
  /** Whether it decides about the store: all share one then, and what it does not decide is refused. */
  readonly decidesStore: boolean;
}

/** The server itself: timers, and what was allowed when it was asked for. Also every caller where nobody signs in. */
export const SYSTEM: Caller = {
  user: undefined,
  owner: null,
  storeOwner: undefined,
  authorize: async (_, value) => ({ value, scope: EVERYTHING }),
};

/** The caller, who has been asked already whether it may do what follows, and what it reaches. */
export function allowedTo(caller: Caller, scope: Scope): Caller {
  return { ...caller, authorize: async (_, value) => ({ value, scope }) };
}

/**
 * A caller where callers are told apart; without a user, one of an endpoint that is open to all.
 * @throws TypeError for a user who is not told apart from others
 */
export function callerOf(user: User | undefined, policy?: Policy): Caller {
  if (user !== undefined && !isIdentity(user.identity))
    throw new TypeError(
      `auth: the identity of a user must be a text of 1 to ${LONGEST_IDENTITY} characters, without NUL`,
    );
  const owner = user?.identity ?? NOBODY;
  const decides = user === undefined ? undefined : policy;
  return {
    user,
    owner,
    storeOwner: decides?.decidesStore === true ? undefined : owner,
    authorize: async (event, value) => {
      const decided = user === undefined ? null : await decides?.decide(user, event, value);
      if (decided != null) return decided;
      if (decides?.decidesStore === true && event.startsWith("store:"))
        throw new AppError("forbidden", `There is no rule for ${event}`);
      return { value, scope: { owner } };
    },
  };
}

/** On whose behalf a run executes, as its record keeps it. */
export interface Principal {
  readonly user: User | null;
  readonly store_owner: string | null;
}

/** Undefined for the server itself. */
export function principalOf({ user, storeOwner }: Caller): Principal | undefined {
  if (user === undefined && storeOwner === undefined) return undefined;
  return { user: user ?? null, store_owner: storeOwner ?? null };
}

/** What is the server's to say of a run's caller, by the names that graphs know. */
export const AUTH_FIELDS = [
  "langgraph_auth_user",
  "langgraph_auth_user_id",
  "langgraph_auth_permissions",
] as const;

/** What a configuration has of the same names is nobody's to say. */
export function withoutAuthFields(configurable: JsonObject): JsonObject {
  const names: readonly string[] = AUTH_FIELDS;
  return Object.fromEntries(Object.entries(configurable).filter(([name]) => !names.includes(name)));
}

/** What a caller reaches, by what they were asked about. */
export type Scopes = Readonly<Partial<Record<AuthEvent, Scope>>>;

/** What was allowed to a caller, for what is done on their behalf later, without asking again. JSON. */
export interface Mandate {
  /** Whom belongs what is made; null for nobody. */
  readonly owner: string | null;
  /** Null for the server itself, which reaches everything. */
  readonly principal: Principal | null;
  readonly scopes: Scopes | null;
}

/** The caller, and what they are allowed from now on. */
export function mandated(caller: Caller): { readonly caller: Caller; readonly mandate: Mandate } {
  const principal = principalOf(caller) ?? null;
  const scopes: Partial<Record<AuthEvent, Scope>> = {};
  const authorize: Caller["authorize"] = async (event, asked) => {
    const grant = await caller.authorize(event, asked);
    scopes[event] = grant.scope;
    return grant;
  };
  const mandate = { owner: caller.owner, principal, scopes: principal === null ? null : scopes };
  return { caller: { ...caller, authorize }, mandate };
}

/** The one who was given a mandate; of what was not asked about then, they reach what belongs to them. */
export function callerAs({ owner, principal, scopes }: Mandate): Caller {
  if (principal === null && owner === null) return SYSTEM;
  // One that was nobody's, and was given to somebody since, reaches what is theirs.
  const { user, store_owner } = principal ?? { user: null, store_owner: owner };
  return {
    user: user ?? undefined,
    owner,
    storeOwner: store_owner ?? undefined,
    authorize: async (event, value) => ({ value, scope: scopes?.[event] ?? { owner: owner ?? NOBODY } }),
  };
}

/** For a graph's `configurable`. */
export function authFields(principal: Principal | undefined): JsonObject {
  if (principal?.user == null) return {};
  const { user } = principal;
  return {
    langgraph_auth_user: user,
    langgraph_auth_user_id: user.identity,
    langgraph_auth_permissions: user.permissions,
  };
}
