/** An app whose host signs its callers in, called as any of them. */

import { openParts, type AppParts } from "../../src/app-parts.ts";
import { makeRoutes, openFetch } from "../../src/app-routes.ts";
import type { Authenticator, Policy, User } from "../../src/core/auth.ts";
import { GraphRegistry, type GraphOptions } from "../../src/core/graphs.ts";
import { parseOptions, type AppOptions } from "../../src/options.ts";
import { testDatabase, type TestDatabase } from "./database.ts";
import type { Reached } from "./protocol.ts";
import type { Answer } from "./server.ts";

/** One who calls; `fetch` and `url` are for what speaks a protocol of its own. */
export interface Person extends Required<Reached> {
  /** Sends a body as JSON. */
  readonly ask: (
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<Answer>;
}

export interface CalledApp extends AsyncDisposable {
  /** A user; without an identity, one whom the host has not signed in. */
  readonly as: (identity?: string) => Person;
  readonly parts: AppParts;
  readonly database: TestDatabase;
}

export interface CalledOptions extends AppOptions {
  readonly graphs: readonly GraphOptions[];
  /** Decides in place of ownership. Where there is one, also an empty one, those who have not signed in are told apart. */
  readonly policy?: Partial<Policy>;
  /** Of another instance, to share it. */
  readonly database?: TestDatabase;
}

export async function startApp({
  graphs,
  policy,
  database: shared,
  ...given
}: CalledOptions): Promise<CalledApp> {
  const database = shared ?? (await testDatabase());
  const shutdown = new AbortController();
  const options = parseOptions({ logger: SILENT, ...given });
  const registry = new GraphRegistry();
  for (const graph of graphs) registry.add(graph, { authLevel: "anonymous" });
  const settings = {
    database: { url: database.url, poolSize: 4, migrate: false },
    logLevel: "silent",
    resumeLinkSecrets: ["a-secret-of-the-tests-of-32-bytes-or-more"],
  } as const;
  const parts = openParts(options, registry, { settings }, shutdown.signal);
  const authenticator = policy === undefined ? undefined : signingIn(policy);
  const routes = makeRoutes(options, registry, parts);
  const answer = openFetch(options, routes, { ...parts, authenticator: async () => authenticator });
  return {
    as: (identity) => {
      const user = identity === undefined ? {} : { user: userOf(identity) };
      const send = async (request: Request): Promise<Response> =>
        answer(request, { signal: request.signal, authLevel: "admin", ...user });
      return { url: URL_OF_APP, fetch: send, ask: async (...asked) => ask(send, ...asked) };
    },
    parts,
    database,
    [Symbol.asyncDispose]: async () => {
      shutdown.abort();
      await Promise.allSettled(parts.running);
      await parts.database[Symbol.asyncDispose]();
      if (shared === undefined) await database[Symbol.asyncDispose]();
    },
  };
}

const URL_OF_APP = "http://app.example/api";
const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

function userOf(identity: string): User {
  return { identity, display_name: identity, is_authenticated: true, permissions: [] };
}

function signingIn({ decide = async () => null, decidesStore = false }: Partial<Policy>): Authenticator {
  return { authenticate: async () => undefined, policy: { decide, decidesStore } };
}

async function ask(
  send: (request: Request) => Promise<Response>,
  ...[method, path, body, headers]: Parameters<Person["ask"]>
): Promise<Answer> {
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const request = new Request(`${URL_OF_APP}${path}`, {
    method,
    headers: { ...JSON_BODY, ...headers },
    ...sent,
  });
  const response = await send(request);
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: parsed(text) };
}

const JSON_BODY = { "content-type": "application/json" };

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
