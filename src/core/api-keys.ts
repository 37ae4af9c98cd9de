/** The rules of API keys: secrets that a program shows instead of a person's sign-in. The server keeps only their hashes. */

import type { User } from "./model.ts";
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import { isIdentity } from "./identity.ts";

/** A key as its record shows it. */
export interface ApiKey {
  /** The part of the key between its two underscores; no secret. */
  readonly key_id: string;
  /** Of whoever shows the key. */
  readonly identity: string;
  readonly display_name: string;
  readonly permissions: readonly string[];
  readonly created_at: Date;
  /** Null for a key that is good until it is revoked. */
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
}

/** As it is stored. */
export interface StoredApiKey extends ApiKey {
  /** SHA-256 of the whole key, base64url: enough for 256 random bits, which nobody can guess their way to. */
  readonly hash: string;
}

export interface ApiKeyStore {
  readonly create: (key: StoredApiKey) => Promise<void>;
  readonly find: (key_id: string) => Promise<StoredApiKey | null>;
  /** The newest first. */
  readonly list: () => Promise<readonly ApiKey[]>;
  /** False when there is none of this id that is not revoked. */
  readonly revoke: (key_id: string, now: Date) => Promise<boolean>;
}

interface ApiKeyDeps {
  readonly apiKeys: ApiKeyStore;
  readonly clock: Clock;
}

export interface NewApiKey {
  readonly identity: string;
  readonly displayName?: string | undefined;
  readonly permissions?: readonly string[] | undefined;
  readonly expiresInDays?: number | undefined;
}

const DAY_MS = 86_400_000;
const KEY = /^lgf_([0-9a-f]{16})_[\w-]{43}$/;

/** Makes a key. It is shown this once: what is stored does not lead back to it. @throws AppError `invalid_request` */
export async function createApiKey(
  { apiKeys, clock }: ApiKeyDeps,
  { identity, displayName = identity, permissions = [], expiresInDays }: NewApiKey,
): Promise<{ readonly key: string; readonly record: ApiKey }> {
  if (!isIdentity(identity))
    throw new AppError("invalid_request", "identity: must be a text of 1 to 512 characters, without NUL");
  const key_id = randomBytes(8).toString("hex");
  const key = `lgf_${key_id}_${randomBytes(32).toString("base64url")}`;
  const now = clock.now();
  const record = {
    key_id,
    identity,
    display_name: displayName,
    permissions,
    created_at: now,
    expires_at: expiresInDays === undefined ? null : new Date(now.getTime() + expiresInDays * DAY_MS),
    revoked_at: null,
  };
  await apiKeys.create({ ...record, hash: hashOf(key) });
  return { key, record };
}

/** Who shows the key; undefined for one that is not, or no longer, good. */
export async function userOfKey(
  { clock, find }: { readonly clock: Clock; readonly find: ApiKeyStore["find"] },
  key: string,
): Promise<User | undefined> {
  const [, key_id] = KEY.exec(key) ?? [];
  const stored = key_id === undefined ? null : await find(key_id);
  if (stored === null || !isSame(stored.hash, hashOf(key))) return undefined;
  const { identity, display_name, permissions, revoked_at, expires_at } = stored;
  if (revoked_at !== null || (expires_at !== null && expires_at <= clock.now())) return undefined;
  return { identity, display_name, permissions, is_authenticated: true };
}

/** @throws AppError `not_found` */
export async function revokeApiKey({ apiKeys, clock }: ApiKeyDeps, keyId: string): Promise<void> {
  if (!(await apiKeys.revoke(keyId, clock.now())))
    throw new AppError("not_found", `There is no key '${keyId}' that could be revoked`);
}

function hashOf(key: string): string {
  return createHash("sha256").update(key).digest("base64url");
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
