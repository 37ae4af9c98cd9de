/** An app with users, called by any of them: without an authentication of its own, who calls is what the header `x-user` says. */

import type { User } from "../../src/core/model.ts";
import { openParts, type AppParts } from "../../src/app-parts.ts";
import { makeRoutes, openFetch } from "../../src/app-routes.ts";
import type { Policy } from "../../src/core/auth.ts";
import { GraphRegistry, type GraphOptions } from "../../src/core/graphs.ts";
import { tick } from "../../src/core/tick.ts";
import { parseOptions, type AppOptions } from "../../src/options.ts";
import { testDatabase, type TestDatabase } from "./database.ts";
import type { Reached } from "./protocol.ts";
import type { Answer, LogEntry } from "./server.ts";

/** Sends a body as JSON. */
export type Ask = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Readonly<Record<string, string>>,
) => Promise<Answer>;

/** One who calls; `fetch` and `url` are for what speaks a protocol of its own. */
export interface Person extends Required<Reached> {
  readonly ask: Ask;
}

export interface AskOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface AppWithUsers extends AsyncDisposable {
  /** A user; somebody who has not signed in, without one. */
  readonly as: (user: string | undefined) => Person;
  /** As the server itself, or where nobody signs in. */
  readonly system: Person;
  /** A request, `POST /threads`, of a user, for tables of them. */
  readonly ask: (user: string | undefined, endpoint: string, rest?: AskOptions) => Promise<Answer>;
  readonly askAsSystem: (endpoint: string, rest?: AskOptions) => Promise<Answer>;
  readonly database: TestDatabase;
  readonly warnings: readonly LogEntry[];
  readonly parts: AppParts;
  readonly tick: () => ReturnType<typeof tick>;
}

export interface AppWithUsersOptions extends AppOptions {
  /** Default: none. */
  readonly graphs?: readonly GraphOptions[];
  /** Another way to the database. */
  readonly via?: (url: string) => Promise<{ readonly url: string }>;
  /** Of another instance, to share it. */
  readonly database?: TestDatabase;
  /** Decides in place of ownership. */
  readonly policy?: Partial<Policy>;
}

export function makeUser(identity: string): User {
  return { identity, display_name: identity, is_authenticated: true, permissions: ["some"], team: "blue" };
}

export async function appWithUsers({
  graphs = [],
  via,
  policy,
  database: shared,
  ...given
}: AppWithUsersOptions = {}): Promise<AppWithUsers> {
  const database = shared ?? (await testDatabase());
  const shutdown = new AbortController();
  const warnings: LogEntry[] = [];
  const logger = {
    info: () => undefined,
    warn: (fields: object, message: string) => void warnings.push({ fields, message }),
    error: () => undefined,
  };
  const options = parseOptions({ logger, authLevel: "anonymous", ...given });
  const registry = new GraphRegistry();
  for (const graph of graphs) registry.add(graph, { authLevel: options.authLevel });
  const { url } = (await via?.(database.url)) ?? database;
  const parts = openParts(
    options,
    registry,
    { settings: { ...SETTINGS, database: { url, ...POOL } } },
    shutdown.signal,
  );
  const routes = makeRoutes(options, registry, parts);
  const rest = { logger, limiter: parts.limiter, clock: parts.clock };
  const signedIn = openFetch(options, routes, {
    ...rest,
    authenticator: async () =>
      (await parts.authenticator()) ?? {
        authenticate,
        ...(policy === undefined
          ? {}
          : { policy: { decide: async () => null, decidesStore: false, ...policy } }),
      },
  });
  const anyone = openFetch(options, routes, { ...rest, authenticator: async () => undefined });
  const invocation = (signal: AbortSignal) =>
    ({ signal: AbortSignal.any([signal, shutdown.signal]), authLevel: "admin" }) as const;
  const system = person(async (request) => anyone(request, invocation(request.signal)));
  const as = (user: string | undefined): Person =>
    person(async (request) => {
      if (user !== undefined) request.headers.set("x-user", user);
      return signedIn(request, invocation(request.signal));
    });
  return {
    as,
    system,
    ask: async (user, endpoint, asked) => askEndpoint(as(user), endpoint, asked),
    askAsSystem: async (endpoint, asked) => askEndpoint(system, endpoint, asked),
    database,
    warnings,
    parts,
    tick: async () => tick(parts, invocation(shutdown.signal)),
    [Symbol.asyncDispose]: async () => {
      shutdown.abort();
      await Promise.allSettled(parts.running);
      await parts.database[Symbol.asyncDispose]();
      if (shared === undefined) await database[Symbol.asyncDispose]();
    },
  };
}

const POOL = { poolSize: 4, migrate: false } as const;
const SETTINGS = {
  logLevel: "silent",
  resumeLinkSecrets: ["a-secret-of-the-tests-of-32-bytes-or-more"],
} as const;

async function authenticate({ headers }: Request): Promise<User | undefined> {
  const name = headers.get("x-user");
  return name === null ? undefined : makeUser(name);
}

function person(send: (request: Request) => Promise<Response>): Person {
  const url = "http://app.example/api";
  return {
    url,
    fetch: send,
    ask: async (method, path, body, headers) => {
      const sent = body === undefined ? {} : { body: JSON.stringify(body) };
      const type = body === undefined ? {} : { "content-type": "application/json" };
      return read(
        await send(new Request(`${url}${path}`, { method, headers: { ...type, ...headers }, ...sent })),
      );
    },
  };
}

async function askEndpoint(
  { ask }: Person,
  endpoint: string,
  { body, headers }: AskOptions = {},
): Promise<Answer> {
  const [method = "", path = ""] = endpoint.split(" ");
  return ask(method, path, body, headers);
}

async function read(response: Response): Promise<Answer> {
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: parsed(text) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A member of an answer's object, as text. */
export function textOf({ body, text }: Answer, member: string): string {
  if (typeof body === "object" && body !== null && member in body)
    return String(Object.entries(body).find(([name]) => name === member)?.[1]);
  throw new Error(`There is no ${member} in ${text}`);
}
