/** Tokens of an identity provider that signs with a secret. */

import { SignJWT } from "jose";

export const TOKEN_SECRET = "a-secret-of-more-than-thirty-two-bytes";

/** Good for longer than any test takes. */
export async function tokenOf(sub: string, secret = TOKEN_SECRET): Promise<string> {
  const token = new SignJWT({ sub }).setProtectedHeader({ alg: "HS256" }).setExpirationTime("10 minutes");
  return token.sign(new TextEncoder().encode(secret));
}
