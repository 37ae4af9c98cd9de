/** Signing in to the database without a password: with a token of the cloud that we run in. */

import type { Signer } from "@aws-sdk/rds-signer";
import type { AccessToken, TokenCredential } from "@azure/identity";
import { systemClock } from "./clock.ts";
import { hasAppServiceIdentity } from "./environment.ts";
import type { Token, TokenSource } from "./postgres/sign-in.ts";

export type DatabaseAuth = "password" | "entra" | "rds-iam";

/** What is wrong with a URL for tokens, which are as good as passwords to whoever reads them on their way. */
export function problemsOfUrl(auth: DatabaseAuth, databaseUrl: string): readonly string[] {
  if (auth === "password") return [];
  const url = new URL(databaseUrl);
  const problems = [
    url.username === "" && "must name the user",
    ELSEWHERE.some((name) => url.searchParams.has(name)) &&
      "must name host, port and user before its path only",
    (url.password !== "" || url.searchParams.has("password")) && "must have no password",
    !isLocal(url) && !isEncrypted(url) && "must have sslmode=verify-full",
  ];
  return problems
    .filter((problem) => problem !== false)
    .map((problem) => `DATABASE_URL: ${problem} where DATABASE_AUTH is ${auth}`);
}

/** What the driver would believe more than the rest of the URL. */
const ELSEWHERE = ["host", "port", "user"];

function isLocal({ hostname }: URL): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
}

/** And the server is asked for its certificate. @see `withCheckedCertificates` in postgres/pool.ts */
function isEncrypted({ searchParams }: URL): boolean {
  const mode = searchParams.getAll("sslmode").at(-1); // as the driver does
  if (mode === undefined) return /^(true|1)$/.test(searchParams.get("ssl") ?? "");
  if (searchParams.get("uselibpqcompat") === "true") return mode === "verify-full";
  return /^(require|verify-ca|verify-full)$/.test(mode);
}

/** Nothing is loaded until a connection is opened. Undefined where the URL has the password, if one is needed. */
export function tokenSource(
  auth: DatabaseAuth,
  databaseUrl: string,
  clientId: string | undefined,
): TokenSource | undefined {
  switch (auth) {
    case "password":
      return undefined;
    case "entra":
      return entraTokens(clientId);
    case "rds-iam":
      return rdsTokens(new URL(databaseUrl));
  }
}

/** @see https://learn.microsoft.com/azure/postgresql/flexible-server/security-entra-configure */
const SCOPE = "https://ossrdbms-aad.database.windows.net/.default";
/** As long before their end as the platform has newer ones. */
const AHEAD_MS = 300_000;

function entraTokens(clientId: string | undefined): TokenSource {
  let credential: TokenCredential | undefined;
  return async ({ signal, isRefused }) => {
    if (isRefused) credential = undefined; // most keep tokens for themselves, a managed identity's for the process
    credential ??= await openCredential(clientId);
    const answer = await credential.getToken(SCOPE, { abortSignal: signal }).catch((cause: unknown) => {
      throw new Error(`Microsoft Entra ID gives no token for the database: ${reasonOf(cause)}`, { cause });
    });
    if (answer === null) throw new Error("Microsoft Entra ID gives no token for the database");
    return toToken(answer);
  };
}

function toToken({ token, expiresOnTimestamp }: AccessToken): Token {
  const remaining = expiresOnTimestamp - systemClock.now().getTime();
  const ahead = Math.min(AHEAD_MS, remaining / 2);
  return {
    text: token,
    renewAt: new Date(expiresOnTimestamp - ahead),
    expiresAt: new Date(expiresOnTimestamp),
  };
}

/** The identity of the function app; elsewhere that of the workload, of the machine, or of the developer (`az login`). */
async function openCredential(clientId: string | undefined): Promise<TokenCredential> {
  const { DefaultAzureCredential, ManagedIdentityCredential } = await import("@azure/identity").catch(
    missing("@azure/identity", "entra"),
  );
  if (hasAppServiceIdentity())
    return new ManagedIdentityCredential(clientId === undefined ? {} : { clientId });
  return new DefaultAzureCredential(clientId === undefined ? {} : { managedIdentityClientId: clientId });
}

/** Less than the 15 minutes for which they are good, as what they are signed with may end before; signing costs little. */
const KEPT_MS = 300_000;

function rdsTokens({ hostname, port, username }: URL): TokenSource {
  let signer: Signer | undefined;
  return async ({ isRefused }) => {
    if (isRefused) signer = undefined; // it keeps the credentials
    const { Signer } = await loadSigner();
    const user = decodeURIComponent(username);
    signer ??= new Signer({ hostname, port: port === "" ? 5432 : Number(port), username: user });
    const text = await signer.getAuthToken().catch((cause: unknown) => {
      throw new Error(`No token for the database can be signed: ${reasonOf(cause)}`, { cause });
    });
    const end = new Date(systemClock.now().getTime() + KEPT_MS);
    return { text, renewAt: end, expiresAt: end };
  };
}

interface SignerPackage {
  readonly Signer: typeof Signer;
}

/** It is CommonJS, of which a bundle in chunks has no names, only the whole. @see https://github.com/evanw/esbuild/issues/3245 */
async function loadSigner(): Promise<SignerPackage> {
  const module: SignerPackage & { readonly default?: SignerPackage } =
    await import("@aws-sdk/rds-signer").catch(missing("@aws-sdk/rds-signer", "rds-iam"));
  return module.default ?? module;
}

function missing(name: string, auth: DatabaseAuth): (cause: unknown) => never {
  return (cause) => {
    throw new Error(`DATABASE_AUTH=${auth} needs the package ${name}: npm install ${name}`, { cause });
  };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
