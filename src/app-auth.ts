/** How it becomes known who calls, as the option `auth` says. */

import type { AuthHost, Authenticator } from "./core/auth.ts";
import { once } from "./once.ts";
import { isAuthentication, type AuthOption, type ParsedOptions } from "./options.ts";

type Asked = () => Promise<Authenticator | undefined>;

/** Opened with the first request that asks. Undefined where nobody is asked who they are. */
export function openAuthenticator(
  { auth, allowStudio }: Pick<ParsedOptions, "auth" | "allowStudio">,
  host: AuthHost,
): Asked {
  if (auth === undefined || auth === "none") return async () => undefined;
  return once(async () => open(auth, host, allowStudio));
}

async function open(
  auth: Exclude<AuthOption, "none">,
  host: AuthHost,
  allowsStudio: boolean,
): Promise<Authenticator> {
  if (auth === "host") return { authenticate: async () => undefined }; // users whom the host names are taken as they are
  if (isAuthentication(auth)) return auth.open(host);
  const { authObject, isAuthObject } = await import("./http/auth-object.ts");
  const loaded = typeof auth === "function" ? await auth() : auth;
  if (!isAuthObject(loaded))
    throw new TypeError("auth: what was loaded is no Auth object of @langchain/langgraph-sdk/auth");
  return authObject(loaded, { allowsStudio });
}
