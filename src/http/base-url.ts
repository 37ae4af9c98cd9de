/** Where a request has found us: the address below which everything is served. */

import type { Call } from "./router.ts";

/** Without a slash at the end: `https://agents.example.com/api`. What is set counts for more than what the request says. */
export function baseUrl(
  publicUrl: string | undefined,
  { request, path }: Pick<Call, "request" | "path">,
): string {
  if (publicUrl !== undefined) return publicUrl;
  const { origin, pathname } = new URL(request.url);
  return `${origin}${pathname.slice(0, pathname.length - path.length)}`;
}
