/**
 * What makes a resume link impossible to guess or to change: its token says which link it is, until when it is good and
 * what it answers, and ends with an HMAC of that. A token that does not verify costs no query.
 *
 * Not a JWT: this has a fixed layout and 96 characters, where a JWT with the same claims has more than the 260 that a
 * segment of a path may have on Windows, and it leaves a forger nothing to choose, such as an algorithm.
 */

import { createHash, createHmac, timingSafeEqual } from "node:crypto";

/** Which link a token is of, and what it may answer. */
export interface TokenClaims {
  readonly link_id: string;
  readonly expires_at: Date;
  readonly thread_id: string;
  readonly interrupt_id: string;
}

/** What a token says by itself. The rest is to be held against what is stored: see `isBoundTo`. */
export interface ReadToken {
  readonly link_id: string;
  readonly expires_at: Date;
  readonly binding: Buffer;
}

const ID_BYTES = 16;
const TIME_BYTES = 8;
const BINDING_BYTES = 16;
const CLAIMS_BYTES = ID_BYTES + TIME_BYTES + BINDING_BYTES;
const TOKEN = /^[\w-]{96}$/; // (40 + 32 bytes) in base64url: each token has one spelling

/** So that a key which signs other things as well cannot have signed a token of ours. */
const PURPOSE = "langgraph-functions resume link 1";

/** By the first of the secrets. */
export function signToken(secret: string, claims: TokenClaims): string {
  const time = Buffer.alloc(TIME_BYTES);
  time.writeBigUInt64BE(BigInt(claims.expires_at.getTime()));
  const id = Buffer.from(claims.link_id.replaceAll("-", ""), "hex");
  const signed = Buffer.concat([id, time, binding(claims)]);
  return Buffer.concat([signed, mac(secret, signed)]).toString("base64url");
}

/** Null for what none of the secrets has signed. */
export function verifyToken(secrets: readonly string[], token: string): ReadToken | null {
  if (!TOKEN.test(token)) return null;
  const bytes = Buffer.from(token, "base64url");
  const signed = bytes.subarray(0, CLAIMS_BYTES);
  const signature = bytes.subarray(CLAIMS_BYTES);
  if (!secrets.some((secret) => timingSafeEqual(mac(secret, signed), signature))) return null;
  return {
    link_id: signed.toString("hex", 0, ID_BYTES).replace(UUID_PARTS, "$1-$2-$3-$4-$5"),
    expires_at: new Date(Number(signed.readBigUInt64BE(ID_BYTES))),
    binding: signed.subarray(ID_BYTES + TIME_BYTES),
  };
}

const UUID_PARTS = /^(.{8})(.{4})(.{4})(.{4})(.{12})$/;

/** Whether the token was signed for this interrupt of this thread. */
export function isBoundTo(token: ReadToken, of: Pick<TokenClaims, "thread_id" | "interrupt_id">): boolean {
  return timingSafeEqual(token.binding, binding(of));
}

function binding({ thread_id, interrupt_id }: Pick<TokenClaims, "thread_id" | "interrupt_id">): Buffer {
  const digest = createHash("sha256")
    .update(JSON.stringify([thread_id, interrupt_id]))
    .digest();
  return digest.subarray(0, BINDING_BYTES);
}

function mac(secret: string, signed: Buffer): Buffer {
  return createHmac("sha256", secret).update(PURPOSE).update(signed).digest();
}
