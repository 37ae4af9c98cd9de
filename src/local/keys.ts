/** The function keys of the Azure Functions host, for a server of our own. */

import { createHash, timingSafeEqual } from "node:crypto";
import type { AuthLevel } from "../core/model.ts";
import type { LocalSettings } from "../settings.ts";

/**
 * What the key of a request opens. Without configured keys everything is open, as with the Functions Core Tools.
 * @see https://learn.microsoft.com/azure/azure-functions/function-keys-how-to
 */
export function grantedLevel(keys: LocalSettings["keys"], request: Request): AuthLevel {
  if (keys.function === undefined && keys.admin === undefined) return "admin";
  const key = request.headers.get("x-functions-key") ?? new URL(request.url).searchParams.get("code");
  if (isSame(key, keys.admin)) return "admin";
  return isSame(key, keys.function) ? "function" : "anonymous";
}

/** In constant time, whatever the lengths. */
function isSame(given: string | null, expected: string | undefined): boolean {
  if (given === null || expected === undefined) return false;
  return timingSafeEqual(digest(given), digest(expected));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
