/** Programs that show a key of this server's own. */

import type { Authentication } from "../core/auth.ts";
import { userOfKey, type ApiKeyStore, type StoredApiKey } from "../core/api-keys.ts";
import type { Clock } from "../clock.ts";
import { AppError } from "../errors.ts";

/** How long a key that was revoked may still be good on an instance that knows it. */
const KNOWN_MS = 30_000;
/** Keys that an instance remembers. */
const KNOWN = 1_000;

/**
 * Callers show a key as the header `X-Api-Key`, as the official SDK does with its option `apiKey`. Keys are made, listed
 * and revoked by `langgraph-functions keys`; the database has only their hashes.
 */
export function apiKeys(): Authentication {
  return {
    securityScheme: { type: "apiKey", in: "header", name: "X-Api-Key" },
    open: ({ apiKeys: store, clock }) => {
      const find = remembering(store.find, clock);
      return {
        challenge: CHALLENGE,
        authenticate: async ({ headers }) => {
          const key = headers.get("x-api-key");
          if (key === null) return undefined;
          const user = await userOfKey({ clock, find }, key);
          if (user === undefined) throw refusal();
          return user;
        },
      };
    },
  };
}

const CHALLENGE = 'ApiKey header="X-Api-Key"';

function refusal(): AppError {
  return new AppError("unauthorized", "X-Api-Key: the key is not known, has expired, or was revoked", {
    challenge: CHALLENGE,
  });
}

/** Keys that are there, for a while; those that are not are asked for each time. */
function remembering(find: ApiKeyStore["find"], clock: Clock): ApiKeyStore["find"] {
  const known = new Map<string, { readonly key: StoredApiKey; readonly until: number }>();
  return async (key_id) => {
    const now = clock.now().getTime();
    const hit = known.get(key_id);
    if (hit !== undefined && now < hit.until) return hit.key;
    const key = await find(key_id);
    known.delete(key_id);
    if (key === null) return null;
    const [oldest] = known.keys();
    if (known.size >= KNOWN && oldest !== undefined) known.delete(oldest);
    known.set(key_id, { key, until: now + KNOWN_MS });
    return key;
  };
}
