/** Parts of the API that can be turned off, by the paths of their routes. */

const PATHS = {
  assistants: /^\/assistants(\/|$)/,
  threads: /^\/threads(\/(?!\{thread_id\}\/(runs|commands|stream|resume-links)(\/|$))|$)/,
  runs: /^(\/threads\/\{thread_id\}\/(runs|commands|stream|resume-links)|\/runs|\/resume)(\/|$)/,
  store: /^\/store(\/|$)/,
  mcp: /^\/mcp(\/|$)/,
  a2a: /^\/(a2a|\.well-known\/agent)/,
  /** What describes the server itself; `/health` and `/status` stay, as hosts and operators ask for them. */
  meta: /^\/(ok|info|docs|openapi\.json)(\/|$)/,
} as const;

export type Feature = keyof typeof PATHS;
export const FEATURES = [
  "assistants",
  "threads",
  "runs",
  "store",
  "mcp",
  "a2a",
  "meta",
] as const satisfies Feature[];

/** Whether a route is served when these parts are not. */
export function isServed({ path }: { readonly path: string }, disabled: readonly Feature[]): boolean {
  return !disabled.some((feature) => PATHS[feature].test(path));
}
