/** An app whose host has signed its callers in, on a database of its own. */

import { openParts, type AppParts } from "../../src/app-parts.ts";
import { makeRoutes, openFetch } from "../../src/app-routes.ts";
import type { Policy, User } from "../../src/core/auth.ts";
import { GraphRegistry, type GraphOptions } from "../../src/core/graphs.ts";
import { tick } from "../../src/core/tick.ts";
import { parseOptions, type AppOptions } from "../../src/options.ts";
import { testDatabase, type TestDatabase } from "./database.ts";
import type { Answer } from "./server.ts";

/** Sends a body as JSON. */
export type Ask = (method: string, path: string, body?: unknown) => Promise<Answer>;

export interface SignedInApp extends AsyncDisposable {
  /** The requests of a user; of nobody, when nobody has signed in. */
  readonly as: (identity?: string) => Ask;
  readonly parts: AppParts;
  readonly database: TestDatabase;
  readonly tick: () => ReturnType<typeof tick>;
}

export interface SignedInOptions extends AppOptions {
  readonly graphs?: readonly GraphOptions[];
  /** Decides in place of ownership. */
  readonly policy?: Policy;
  /** Of another instance, to share it. */
  readonly database?: TestDatabase;
}

export function user(identity: string): User {
  return { identity, display_name: identity, is_authenticated: true, permissions: ["read"] };
}

export async function signedInApp({
  graphs = [],
  policy,
  database: shared,
  ...given
}: SignedInOptions = {}): Promise<SignedInApp> {
  const database = shared ?? (await testDatabase());
  const shutdown = new AbortController();
  const options = parseOptions({ logger: silent, ...given });
  const registry = new GraphRegistry();
  for (const graph of graphs) registry.add(graph, { authLevel: "anonymous" });
  const settings = {
    database: { url: database.url, poolSize: 4, migrate: false },
    logLevel: "silent",
  } as const;
  const parts = openParts(options, registry, { settings }, shutdown.signal);
  const authenticator = policy === undefined ? undefined : { authenticate: async () => undefined, policy };
  const fetch = openFetch(options, makeRoutes(options, registry, parts), {
    ...parts,
    authenticator: async () => authenticator,
  });
  const invocation = { signal: shutdown.signal, authLevel: "admin" } as const;
  return {
    as: (identity) => async (method, path, body) => {
      const request = new Request(`http://app.example/api${path}`, {
        method,
        ...(body === undefined
          ? {}
          : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
      });
      const answer = await fetch(request, {
        ...invocation,
        ...(identity === undefined ? {} : { user: user(identity) }),
      });
      const text = await answer.text();
      return { status: answer.status, headers: answer.headers, text, body: parsed(text) };
    },
    parts,
    database,
    tick: async () => tick(parts, invocation),
    [Symbol.asyncDispose]: async () => {
      shutdown.abort();
      await Promise.allSettled(parts.running);
      await parts.database[Symbol.asyncDispose]();
      if (shared === undefined) await database[Symbol.asyncDispose]();
    },
  };
}

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
