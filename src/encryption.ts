/** The encryption of what is stored, for the program that does it anew when there is another key. */

import { openDatabase } from "./postgres/pool.ts";
import { countUnsealed, resealAll, type Resealed } from "./postgres/reseal.ts";
import type { Settings } from "./settings.ts";

/** A statement that looks for what is left goes through a whole table. */
const TIMEOUT_MS = 600_000;

/**
 * Encrypts everything under the first key.
 * @throws Error that says what does not open, or that there is no key
 */
export async function reencrypt(settings: Settings, tell: (resealed: Resealed) => void): Promise<void> {
  await using database = open(settings);
  await resealAll(database, tell);
}

/** By table, the rows that have something which is not under the first key. @throws Error when there is no key */
export async function countUnencrypted(settings: Settings): Promise<ReadonlyMap<string, number>> {
  await using database = open(settings);
  return await countUnsealed(database);
}

function open({ database }: Settings) {
  return openDatabase({ ...database, poolSize: 1, migrate: false, timeoutMs: TIMEOUT_MS });
}
