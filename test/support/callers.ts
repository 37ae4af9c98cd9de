/** An app with users: without an authentication of its own, who calls is what the header `x-user` says. */

import { openParts, type AppParts } from "../../src/app-parts.ts";
import { makeRoutes, openFetch } from "../../src/app-routes.ts";
import type { User } from "../../src/core/auth.ts";
import { GraphRegistry, type GraphOptions } from "../../src/core/graphs.ts";
import { tick } from "../../src/core/tick.ts";
import { parseOptions, type AppOptions } from "../../src/options.ts";
import { testDatabase, type TestDatabase } from "./database.ts";
import type { Answer, LogEntry } from "./server.ts";

export interface AskOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request, `POST /threads`, of a user; of somebody who has not signed in, without one. */
export type AskAs = (user: string | undefined, endpoint: string, rest?: AskOptions) => Promise<Answer>;

export interface AppWithUsers extends AsyncDisposable {
  readonly ask: AskAs;
  /** The answer as it comes. */
  readonly open: (...asked: [...Parameters<AskAs>, (AbortSignal | undefined)?]) => Promise<Response>;
  /** As the server itself, or where nobody signs in. */
  readonly askAsSystem: (endpoint: string, rest?: AskOptions) => Promise<Answer>;
  readonly database: TestDatabase;
  readonly warnings: readonly LogEntry[];
  readonly parts: AppParts;
  readonly tick: () => ReturnType<typeof tick>;
}

export interface AppWithUsersOptions extends AppOptions {
  readonly graphs: readonly GraphOptions[];
  /** Another way to the database. */
  readonly via?: (url: string) => Promise<{ readonly url: string }>;
}

export function makeUser(identity: string): User {
  return { identity, display_name: identity, is_authenticated: true, permissions: ["some"], team: "blue" };
}

export async function appWithUsers({ graphs, via, ...given }: AppWithUsersOptions): Promise<AppWithUsers> {
  const database = await testDatabase();
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
  const settings = {
    database: { url, poolSize: 4, migrate: false },
    logLevel: "silent",
  } as const;
  const parts = openParts(options, registry, { settings }, shutdown.signal);
  const routes = makeRoutes(options, registry, parts);
  const authenticate = async ({ headers }: Request): Promise<User | undefined> => {
    const name = headers.get("x-user");
    return name === null ? undefined : makeUser(name);
  };
  const rest = { logger, limiter: parts.limiter };
  const signedIn = openFetch(options, routes, {
    ...rest,
    authenticator: async () => (await parts.authenticator()) ?? { authenticate },
  });
  const system = openFetch(options, routes, { ...rest, authenticator: async () => undefined });
  const invocation = { signal: shutdown.signal, authLevel: "admin" } as const;
  const open: AppWithUsers["open"] = async (user, endpoint, asked, signal) =>
    signedIn(requestOf(endpoint, asked, user), { ...invocation, signal: signal ?? invocation.signal });
  return {
    ask: async (...asked) => read(await open(...asked)),
    open,
    askAsSystem: async (endpoint, asked) => read(await system(requestOf(endpoint, asked), invocation)),
    database,
    warnings,
    parts,
    tick: async () => tick(parts, invocation),
    [Symbol.asyncDispose]: async () => {
      shutdown.abort();
      await Promise.allSettled(parts.running);
      await parts.database[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

function requestOf(endpoint: string, { body, headers }: AskOptions = {}, user?: string): Request {
  const [method = "", path = ""] = endpoint.split(" ");
  return new Request(`http://app.example/api${path}`, {
    method,
    headers: {
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(user === undefined ? {} : { "x-user": user }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
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
