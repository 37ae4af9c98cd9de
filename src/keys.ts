/** The function keys of the Azure Functions host, for hosts that have none of their own. */

import { createHash, timingSafeEqual } from "node:crypto";
import type { AuthLevel } from "./core/model.ts";

export interface Keys {
  readonly function: string | undefined;
  readonly admin: string | undefined;
}

/** As `openedLevel`; but without configured keys everything is open, as with the Functions Core Tools. */
export function grantedLevel(keys: Keys, request: Request): AuthLevel {
  return keys.function === undefined && keys.admin === undefined ? "admin" : openedLevel(keys, request);
}

/**
 * What the key of a request opens. A key that is not configured opens nothing.
 * @see https://learn.microsoft.com/azure/azure-functions/function-keys-how-to
 */
export function openedLevel(keys: Keys, request: Request): AuthLevel {
  const key = functionKey(request);
  if (isSame(key, keys.admin)) return "admin";
  return isSame(key, keys.function) ? "function" : "anonymous";
}

/** The key of a request, in either of the places where the Azure Functions host looks. */
export function functionKey(request: Request): string | null {
  return request.headers.get("x-functions-key") ?? new URL(request.url).searchParams.get("code");
}

/** In constant time, whatever the lengths. */
function isSame(given: string | null, expected: string | undefined): boolean {
  if (given === null || expected === undefined) return false;
  return timingSafeEqual(digest(given), digest(expected));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
