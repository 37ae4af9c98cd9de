/** API keys, for the program that makes and revokes them. */

import { systemClock } from "./clock.ts";
import { createApiKey, revokeApiKey, type ApiKey, type NewApiKey } from "./core/api-keys.ts";
import { apiKeyStore } from "./postgres/api-keys.ts";
import { openDatabase } from "./postgres/pool.ts";
import type { Settings } from "./settings.ts";

export type { ApiKey, NewApiKey };

export interface KeyRing extends AsyncDisposable {
  /** The key is shown this once. @throws AppError `invalid_request` */
  readonly create: (key: NewApiKey) => Promise<{ readonly key: string; readonly record: ApiKey }>;
  readonly list: () => Promise<readonly ApiKey[]>;
  /** @throws AppError `not_found` */
  readonly revoke: (keyId: string) => Promise<void>;
}

export function openKeyRing({ database }: Settings): KeyRing {
  const opened = openDatabase({ ...database, poolSize: 1 });
  const deps = { apiKeys: apiKeyStore(opened), clock: systemClock };
  return {
    create: async (key) => createApiKey(deps, key),
    list: async () => deps.apiKeys.list(),
    revoke: async (keyId) => revokeApiKey(deps, keyId),
    [Symbol.asyncDispose]: async () => opened[Symbol.asyncDispose](),
  };
}
