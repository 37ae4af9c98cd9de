/** What tells a command that was sent twice from two commands. */

import { createHash } from "node:crypto";
import type { Caller } from "../core/auth.ts";
import { isJsonObject, type JsonObject } from "../core/model.ts";

/**
 * Clients count their commands from 1 on, each for itself, so a number alone says little: it is the same command when
 * all that it says is the same as well, and who says it.
 */
export function commandKey({ owner }: Caller, id: number, method: string, params: JsonObject): string {
  return createHash("sha256")
    .update(JSON.stringify([owner, id, method, sorted(params)]))
    .digest("base64url");
}

/** Whatever order its keys came in. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isJsonObject(value)) return value;
  const keys = Object.keys(value).toSorted();
  return keys.map((key) => [key, sorted(value[key])]);
}
