/** The headers of a request that its graph may read, in its config. */

export interface HeaderRules {
  /** Besides those that begin with `x-`, and `user-agent`; `*` stands for any part. */
  readonly includes: readonly string[];
  /** Stronger than `includes`. */
  readonly excludes: readonly string[];
}

/** By their names, these open something; the host's own ones about its caller's sign-in are among them. */
const CREDENTIAL =
  /key|token|secret|passw|credential|authorization|authentication|cookie|signature|jwt|assertion|principal|oidc|^x-tenant-id$/;

export function configurableHeaders(
  headers: Headers,
  { includes, excludes }: HeaderRules,
): Readonly<Record<string, string>> {
  const isCopied = (name: string): boolean => {
    if (excludes.some((pattern) => matches(name, pattern))) return false;
    if (CREDENTIAL.test(name)) return includes.some((pattern) => pattern.toLowerCase() === name);
    return (
      name.startsWith("x-") || name === "user-agent" || includes.some((pattern) => matches(name, pattern))
    );
  };
  return Object.fromEntries([...headers].filter(([name]) => isCopied(name)));
}

/** Names of headers are in lower case. */
function matches(name: string, pattern: string): boolean {
  const [first = "", ...rest] = pattern.toLowerCase().split("*");
  if (rest.length === 0) return name === first;
  if (!name.startsWith(first)) return false;
  let from = first.length;
  for (const part of rest.slice(0, -1)) {
    const at = name.indexOf(part, from);
    if (at === -1) return false;
    from = at + part.length;
  }
  return name.slice(from).endsWith(rest.at(-1) ?? "");
}
