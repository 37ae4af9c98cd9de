/**
 * What browsers are to leave alone, on every answer.
 * @see https://cheatsheetseries.owasp.org/cheatsheets/REST_Security_Cheat_Sheet.html#security-headers
 */

import type { Doors } from "../core/model.ts";
import { changeable } from "./respond.ts";

const ALWAYS: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "content-security-policy": "frame-ancestors 'none'",
};
/** A year, as browsers' preload lists ask for. */
const HTTPS_ONLY = "max-age=31536000";

/** What an answer says itself stays as it is. `isShared` where pages of other origins may call us. */
export function withSecurityHeaders(
  fetch: Doors["fetch"],
  { isShared }: { readonly isShared: boolean },
): Doors["fetch"] {
  const defaults = Object.entries({
    ...ALWAYS,
    "cross-origin-resource-policy": isShared ? "cross-origin" : "same-origin",
  });
  return async (request, invocation) => {
    const response = changeable(await fetch(request, invocation));
    const { headers } = response;
    const type = headers.get("content-type") ?? "";
    const add = (name: string, value: string): void => {
      if (!headers.has(name)) headers.set(name, value);
    };
    for (const [name, value] of defaults) add(name, value);
    if (!type.startsWith("text/html")) add("referrer-policy", "no-referrer"); // a page's forms depend on its own
    if (/^application\/(\S+\+)?json\b/.test(type)) add("cache-control", "no-store");
    if (isHttps(request)) add("strict-transport-security", HTTPS_ONLY);
    return response;
  };
}

/** As the client sees it: proxies and function hosts end TLS before us. */
function isHttps({ url, headers }: Request): boolean {
  const [first = ""] = (headers.get("x-forwarded-proto") ?? "").split(",");
  return url.startsWith("https:") || first.trim() === "https";
}
