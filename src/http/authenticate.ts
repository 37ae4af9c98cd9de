/** Who may call a route: the key level that the host has verified, and who has signed in, against what the route asks for. */

import { createHash } from "node:crypto";
import { callerOf, SYSTEM, type Authenticator, type Caller } from "../core/auth.ts";
import type { AuthLevel, Invocation, User } from "../core/model.ts";
import { AppError } from "../errors.ts";
import { functionKey } from "../keys.ts";
import { networkOf } from "./client-address.ts";

const RANK: Readonly<Record<AuthLevel, number>> = { anonymous: 0, function: 1, admin: 2 };

export function opens(granted: AuthLevel, needed: AuthLevel): boolean {
  return RANK[granted] >= RANK[needed];
}

/** @throws AppError `unauthorized` without any key, `forbidden` with one that does not open this route */
export function requireLevel(needed: AuthLevel, granted: AuthLevel): void {
  if (opens(granted, needed)) return;
  if (granted !== "anonymous")
    throw new AppError("forbidden", "This function key does not open this endpoint");
  throw new AppError(
    "unauthorized",
    "A valid function key is required, as the header x-functions-key or the query parameter code",
  );
}

/** How a route is open to those who have not signed in. */
export interface SignIn {
  /** It says nothing that depends on its caller: credentials are not looked at. */
  readonly isPublic: boolean;
  /** Credentials are not needed, but count if there are any. */
  readonly isOptional: boolean;
}

/**
 * The caller of a request; where nobody signs in, all may do everything that their key opens.
 * @throws AppError `unauthorized`; what the authenticator throws
 */
export async function signIn(
  openAuthenticator: () => Promise<Authenticator | undefined>,
  request: Request,
  { user }: Invocation,
  { isPublic, isOptional }: SignIn,
): Promise<Caller> {
  if (isPublic) return callerOf(undefined);
  const authenticator = await openAuthenticator();
  const known = signedIn(user);
  if (known !== undefined) return callerOf(known, authenticator?.policy);
  if (authenticator === undefined) return SYSTEM;
  const { url, method, headers } = request; // the body is the route's
  const found = signedIn(await authenticator.authenticate(new Request(url, { method, headers })));
  if (found === undefined && !isOptional)
    throw new AppError("unauthorized", "Sign in: the request has no credentials", {
      challenge: authenticator.challenge,
    });
  return callerOf(found, authenticator.policy);
}

/** Where no types are checked, null is nobody as well: a framework's `request.user` after a sign-out. */
function signedIn(user: User | null | undefined): User | undefined {
  return user ?? undefined;
}

/**
 * Whose requests count together: those of a user, else of a verified key, else of an address. Keys are never stored as
 * they are.
 */
export function identity(request: Request, invocation: Invocation, { user }: Caller): string {
  const { authLevel, isKeyVerified = false, address = "unknown" } = invocation;
  if (user !== undefined) return `user:${indexable(user.identity)}`;
  const key = isKeyVerified && authLevel !== "anonymous" ? functionKey(request) : null;
  if (key === null) return `address:${indexable(networkOf(address))}`;
  return `key:${digest(key)}`;
}

/** No index takes a text of any length. */
function indexable(identity: string): string {
  return identity.length <= 128 ? identity : digest(identity);
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}
