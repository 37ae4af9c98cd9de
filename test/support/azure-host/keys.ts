/** The host's access keys: what a caller may open is decided before the worker hears of the request. */
import type { IncomingHttpHeaders } from "node:http";

export interface Keys {
  readonly function: string;
  readonly admin: string;
}

/** `keys: false` is how Core Tools run by default: every caller is let in. */
export function isAllowed(
  authLevel: string,
  { headers, url }: { headers: IncomingHttpHeaders; url: URL },
  keys: Keys | false,
): boolean {
  if (!keys) return true;
  const key = headers["x-functions-key"] ?? url.searchParams.get("code");
  switch (authLevel.toLowerCase()) {
    case "anonymous":
      return true;
    case "function":
      return key === keys.function || key === keys.admin;
    default:
      return key === keys.admin;
  }
}
