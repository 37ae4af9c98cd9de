/** An app with users, asked in the name of each. */

import { appWithUsers, type AppWithUsers, type AppWithUsersOptions } from "./callers.ts";
import type { Answer } from "./server.ts";

/** Sends a body as JSON. */
export type Ask = (method: string, path: string, body?: unknown) => Promise<Answer>;

export interface SignedInApp extends AppWithUsers {
  /** The requests of a user; without one, of those where nobody signs in. */
  readonly as: (identity?: string) => Ask;
}

export async function signedInApp({
  graphs = [],
  ...options
}: Partial<AppWithUsersOptions> = {}): Promise<SignedInApp> {
  const app = await appWithUsers({ graphs, ...options });
  return {
    ...app,
    as: (identity) => async (method, path, body) => {
      const rest = body === undefined ? {} : { body };
      const endpoint = `${method} ${path}`;
      return identity === undefined ? app.askAsSystem(endpoint, rest) : app.ask(identity, endpoint, rest);
    },
  };
}
