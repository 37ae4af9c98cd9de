/** Callers who bring a JSON Web Token of an identity provider. @see RFC 7519, RFC 8725, RFC 6750 */

import type { User } from "../core/model.ts";
import type { JWTPayload, JWTVerifyGetKey, JWTVerifyOptions } from "jose";
import { z } from "zod";
import type { AuthHost, Authentication } from "../core/auth.ts";
import { isIdentity } from "../core/identity.ts";
import { AppError } from "../errors.ts";
import { once } from "../once.ts";

export interface JwtOptions {
  /** That tokens must have as `iss`; without `secret` and `jwksUrl`, its OpenID configuration names the keys. */
  readonly issuer?: string | undefined;
  /** That tokens must have as `aud`; one of several. */
  readonly audience?: string | readonly string[] | undefined;
  /** Of tokens that are signed with HS256, HS384 or HS512; at least 32 bytes. */
  readonly secret?: string | undefined;
  /** Where the public keys of the issuer are: `https://example.com/.well-known/jwks.json`. */
  readonly jwksUrl?: string | undefined;
  /** Default: HS256 with a secret, else RS256, PS256, ES256 and EdDSA. */
  readonly algorithms?: readonly string[] | undefined;
  /** By which clocks may be apart. Default: 5. */
  readonly clockToleranceSeconds?: number | undefined;
  /** The claim that tells users apart. Default: `sub`. */
  readonly identityClaim?: string | undefined;
  /** The claim with what a user may do, a list or words in a row. Default: `permissions`, else `scope`. */
  readonly permissionsClaim?: string | undefined;
}

const HMAC = /^HS(256|384|512)$/;
const ASYMMETRIC = ["RS256", "PS256", "ES256", "EdDSA"];
/** Of a secret, for HS256. @see RFC 7518, section 3.2 */
const MIN_SECRET_BYTES = 32;
const TIMEOUT_MS = 5_000;

const WebAddress = z
  .url({ protocol: /^https?$/, error: "must be an address that begins with https://" })
  .refine(
    (text) => !URL.canParse(text) || isSafe(new URL(text)),
    "must begin with https://, except on this machine",
  );

const Options = z
  .strictObject({
    issuer: z.string().min(1).optional(),
    audience: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]).optional(),
    secret: z
      .string()
      .refine((secret) => Buffer.byteLength(secret) >= MIN_SECRET_BYTES, {
        error: `must have at least ${MIN_SECRET_BYTES} bytes`,
      })
      .optional(),
    jwksUrl: WebAddress.optional(),
    algorithms: z.array(z.string()).min(1).optional(),
    clockToleranceSeconds: z.number().min(0).max(600).default(5),
    identityClaim: z.string().min(1).default("sub"),
    permissionsClaim: z.string().min(1).optional(),
  })
  .superRefine(({ secret, jwksUrl, issuer, algorithms = [] }, context) => {
    const problem = (path: string, message: string): void =>
      context.addIssue({ code: "custom", path: [path], message });
    if (secret !== undefined && jwksUrl !== undefined)
      problem("secret", "give either a secret or the address of public keys");
    if (secret === undefined && jwksUrl === undefined && issuer === undefined)
      problem(
        "secret",
        "is missing: give a secret, or jwksUrl, or an issuer whose configuration names its keys",
      );
    if (secret === undefined && jwksUrl === undefined && issuer !== undefined) {
      const found = WebAddress.safeParse(issuer);
      if (!found.success) problem("issuer", found.error.issues[0]?.message ?? "");
    }
    // A token that names another kind of algorithm could pass a public key off as a secret: RFC 8725, section 3.1.
    const wrong = algorithms.find((name) => HMAC.test(name) !== (secret !== undefined) || name === "none");
    if (wrong !== undefined) problem("algorithms", `${wrong} does not go with these keys`);
  });

type Parsed = z.output<typeof Options>;

/**
 * Callers show a token as `Authorization: Bearer`. It must have a time at which it expires.
 * @throws TypeError that names each option that is wrong
 */
export function jwt(options: JwtOptions): Authentication {
  const result = Options.safeParse(options);
  if (!result.success) {
    const problems = result.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
    throw new TypeError(`jwt(): ${problems.join("; ")}`);
  }
  return {
    securityScheme: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
    open: async (host) => {
      const verify = await verifier(result.data, host);
      return {
        challenge: "Bearer",
        authenticate: async ({ headers }) => {
          const [, token] = /^bearer +(\S+)$/i.exec(headers.get("authorization")?.trim() ?? "") ?? [];
          return token === undefined ? undefined : userOf(result.data, await verify(token));
        },
      };
    },
  };
}

async function verifier(parsed: Parsed, host: AuthHost): Promise<(token: string) => Promise<JWTPayload>> {
  const { jwtVerify } = await import("jose");
  const { issuer, audience, secret, identityClaim, clockToleranceSeconds } = parsed;
  const algorithms = parsed.algorithms ?? (secret === undefined ? ASYMMETRIC : ["HS256"]);
  const options = (): JWTVerifyOptions => ({
    algorithms,
    clockTolerance: clockToleranceSeconds,
    requiredClaims: ["exp", identityClaim],
    currentDate: host.clock.now(),
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience }),
  });
  const key = secret === undefined ? remoteKeys(parsed) : new TextEncoder().encode(secret);
  return async (token) => {
    try {
      const verified =
        key instanceof Uint8Array ? jwtVerify(token, key, options()) : jwtVerify(token, key, options());
      return (await verified).payload;
    } catch (error) {
      throw refusal(error);
    }
  };
}

/** Of the issuer; asked for when a token comes whose key is not known, and kept. */
function remoteKeys({ jwksUrl, issuer = "" }: Parsed): JWTVerifyGetKey {
  const keys = once(async () => {
    const { createRemoteJWKSet } = await import("jose");
    return createRemoteJWKSet(new URL(jwksUrl ?? (await discover(issuer))), { timeoutDuration: TIMEOUT_MS });
  });
  return async (header, token) => (await keys())(header, token);
}

const Configuration = z.object({ issuer: z.string(), jwks_uri: WebAddress });

/** @see https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig */
async function discover(issuer: string): Promise<string> {
  const address = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const response = await fetch(address, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: "error" });
  if (!response.ok) throw new Error(`${address} answered ${response.status}`);
  const found = Configuration.parse(await response.json());
  if (found.issuer !== issuer) throw new Error(`${address} is about another issuer, ${found.issuer}`);
  return found.jwks_uri;
}

/** What is wrong with a token is the caller's to mend; that its keys cannot be had is not. */
function refusal(error: unknown): AppError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (!/^ERR_(JWT|JWS|JOSE_ALG|JOSE_NOT|JWKS_NO|JWKS_MULTIPLE)/.test(code))
    return new AppError("unavailable", "The keys that tokens are checked with cannot be had", {
      cause: error,
      retryAfterSeconds: 5,
    });
  const claim = error instanceof Error && "claim" in error ? String(error.claim) : "";
  const detail =
    code === "ERR_JWT_EXPIRED"
      ? "The token has expired"
      : code === "ERR_JWT_CLAIM_VALIDATION_FAILED"
        ? `The token's claim ${claim} is missing, or is not what is expected`
        : "The token is not one that was signed for this server";
  return new AppError("unauthorized", detail, {
    cause: error,
    challenge: `Bearer error="invalid_token", error_description="${detail}"`,
  });
}

function userOf({ identityClaim, permissionsClaim }: Parsed, claims: JWTPayload): User {
  const identity = claims[identityClaim];
  if (!isIdentity(identity)) {
    throw new AppError("unauthorized", `The token's claim ${identityClaim} must be a text`, {
      challenge: 'Bearer error="invalid_token"',
    });
  }
  const { name, permissions, scope } = claims;
  const granted = permissionsClaim === undefined ? (permissions ?? scope) : claims[permissionsClaim];
  return {
    ...claims,
    identity,
    display_name: typeof name === "string" ? name : identity,
    permissions: words(granted),
    is_authenticated: true,
  };
}

function words(claim: unknown): readonly string[] {
  if (typeof claim === "string") return claim.split(" ").filter((word) => word !== "");
  return Array.isArray(claim) ? claim.filter((word) => typeof word === "string") : [];
}

function isSafe({ protocol, hostname }: URL): boolean {
  return protocol === "https:" || ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
}
