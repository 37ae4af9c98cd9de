/** Encryption at rest: what the contents of rows are sealed with before they are sent to the database. */

import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import type { Db } from "./sql.ts";

/** For AES-256-GCM. */
export interface EncryptionKey {
  /** Stored with each value, so that it is known which key opens it. */
  readonly id: string;
  /** 32 bytes. */
  readonly bytes: Uint8Array;
}

/** What a value belongs to: its column, then what names its row. A sealed value opens nowhere else. */
export type Place = readonly (string | number)[];

/** Seals contents and opens them; without a key, they stay as they are. */
export interface Cipher {
  /** What everything starts with that was sealed under the key in use; undefined when nothing is sealed. */
  readonly newest: string | undefined;
  readonly sealText: (text: string, place: Place) => string;
  /** What was stored before there was a key comes back as it is. @throws EncryptionError */
  readonly openText: (stored: string, place: Place) => string;
  readonly sealBytes: (bytes: Uint8Array, place: Place) => SealedBytes;
  /** @throws EncryptionError */
  readonly openBytes: (sealed: SealedBytes, place: Place) => Uint8Array;
}

export interface SealedBytes {
  /** Of the key; empty for bytes that are not sealed. */
  readonly keyId: string;
  readonly bytes: Uint8Array;
}

/** A database whose rows' contents are sealed. */
export interface SealingDb extends Db {
  readonly cipher: Cipher;
}

/** A value that cannot be opened. The message names its place and its key, and shows nothing of it. */
export class EncryptionError extends Error {
  override readonly name = "EncryptionError";
}

const ALGORITHM = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** What sealed texts start with; behind it come the key's id, a colon and the base64 of nonce, contents and tag. */
export const MARK = "aes256gcm:";
/** A text that was not sealed, but looks as if it was. No key has an empty id. */
const ESCAPED = `${MARK}:`;

/** The first key seals, all open. */
export function openCipher(keys: readonly EncryptionKey[] = []): Cipher {
  const [newest] = keys;
  const byId = new Map(keys.map((key) => [key.id, key]));
  const keyOf = (id: string, place: Place): EncryptionKey => {
    const key = byId.get(id);
    if (key === undefined)
      throw new EncryptionError(
        `${shown(place)} is encrypted under the key "${id}", which is not known here`,
      );
    return key;
  };
  const openText = (stored: string, place: Place): string => {
    if (!stored.startsWith(MARK)) return stored;
    if (stored.startsWith(ESCAPED)) return stored.slice(ESCAPED.length);
    const end = stored.indexOf(":", MARK.length);
    const key = keyOf(stored.slice(MARK.length, Math.max(end, MARK.length)), place);
    return Buffer.from(decrypt(key, Buffer.from(stored.slice(end + 1), "base64"), place)).toString("utf8");
  };
  const openBytes = ({ keyId, bytes }: SealedBytes, place: Place): Uint8Array =>
    keyId === "" ? bytes : decrypt(keyOf(keyId, place), bytes, place);
  if (newest === undefined) {
    return {
      newest: undefined,
      sealText: (text) => (text.startsWith(MARK) ? `${ESCAPED}${text}` : text),
      openText,
      sealBytes: (bytes) => ({ keyId: "", bytes }),
      openBytes,
    };
  }
  return {
    newest: `${MARK}${newest.id}:`,
    sealText: (text, place) =>
      `${MARK}${newest.id}:${encrypt(newest, Buffer.from(text, "utf8"), place).toString("base64")}`,
    openText,
    sealBytes: (bytes, place) => ({ keyId: newest.id, bytes: encrypt(newest, bytes, place) }),
    openBytes,
  };
}

/** @see https://nvlpubs.nist.gov/nistpubs/Legacy/SP/nistspecialpublication800-38d.pdf random nonces: section 8.2.2 */
function encrypt({ bytes }: EncryptionKey, contents: Uint8Array, place: Place): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, bytes, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(bound(place));
  return Buffer.concat([nonce, cipher.update(contents), cipher.final(), cipher.getAuthTag()]);
}

function decrypt({ id, bytes }: EncryptionKey, sealed: Uint8Array, place: Place): Uint8Array {
  try {
    const end = sealed.length - TAG_BYTES;
    const nonce = sealed.subarray(0, NONCE_BYTES);
    const decipher = createDecipheriv(ALGORITHM, bytes, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(bound(place));
    decipher.setAuthTag(sealed.subarray(end));
    return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, end)), decipher.final()]);
  } catch (error) {
    const message = `${shown(place)} does not open under the key "${id}": it was changed, belongs elsewhere, or another key has this id`;
    throw new EncryptionError(message, { cause: error });
  }
}

function bound(place: Place): Buffer {
  return Buffer.from(JSON.stringify(place), "utf8");
}

function shown([column, ...row]: Place): string {
  return `${column} of ${row.map((part) => JSON.stringify(part)).join(", ")}`;
}

/** What goes into a column of JSON, or into a part of one. Null and an empty object have nothing to hide. */
export function sealValue(cipher: Cipher, value: unknown, place: Place): unknown {
  if (value === null || value === undefined || isEmpty(value)) return value;
  if (cipher.newest !== undefined) return cipher.sealText(JSON.stringify(value), place);
  return typeof value === "string" ? cipher.sealText(value, place) : value;
}

/** As JSON. */
export function sealJson(cipher: Cipher, value: unknown, place: Place): string {
  return JSON.stringify(sealValue(cipher, value, place));
}

/** What a column of JSON has. @throws EncryptionError */
export function openValue<Value>(cipher: Cipher, stored: Value, place: Place): Value {
  if (typeof stored !== "string" || !stored.startsWith(MARK)) return stored;
  const text = cipher.openText(stored, place);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as the type of any row, a claim about what we have stored
  return (stored.startsWith(ESCAPED) ? text : JSON.parse(text)) as Value;
}

function isEmpty(value: unknown): boolean {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length === 0
  );
}

/** Reads the setting `ENCRYPTION_KEYS`: `id:base64`, several with commas between them. Null for what is none. */
export function readEncryptionKeys(text: string): readonly EncryptionKey[] | null {
  const keys = text.split(",").map((entry) => readKey(entry.trim()));
  const found = keys.filter((key) => key !== null);
  const ids = new Set(found.map(({ id }) => id));
  return found.length === keys.length && ids.size === keys.length ? found : null;
}

const KEY = /^([A-Za-z0-9_.-]{1,64}):([A-Za-z0-9+/]{43}=)$/;

function readKey(entry: string): EncryptionKey | null {
  const [, id, base64] = KEY.exec(entry) ?? [];
  return id === undefined || base64 === undefined ? null : { id, bytes: Buffer.from(base64, "base64") };
}
