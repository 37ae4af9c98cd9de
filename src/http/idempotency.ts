/** Reads the header Idempotency-Key. @see https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/ */

import { createHash } from "node:crypto";
import type { Caller } from "../core/auth.ts";
import type { Idempotency } from "../core/idempotency.ts";
import { isJsonObject } from "../core/model.ts";
import { AppError } from "../errors.ts";
import type { Call } from "./router.ts";

const PRINTABLE_ASCII = /^[\x20-\x7e]{1,255}$/;

/** Undefined for a request without a key. @throws AppError `invalid_request` */
export function idempotencyOf({ request, path, caller }: Call, body: unknown): Idempotency | undefined {
  const key = request.headers.get("idempotency-key");
  if (key === null) return undefined;
  if (!PRINTABLE_ASCII.test(key))
    throw new AppError("invalid_request", "Idempotency-Key: expected 1 to 255 printable ASCII characters");
  const digest = createHash("sha256")
    .update(`${request.method} ${path}\n${canonical(body)}`)
    .digest("base64url");
  return { key: `${prefixOf(caller)}${key}`, digest };
}

/** Keys are each caller's own. No key that a client sends has a line break. */
function prefixOf({ owner }: Caller): string {
  return owner === null ? "" : `\n${createHash("sha256").update(owner).digest("base64url")}\n`;
}

/** Of one of several things that a request asks for. */
export function idempotencyOfItem(whole: Idempotency | undefined, index: number): Idempotency | undefined {
  return whole === undefined ? undefined : { ...whole, key: `${whole.key}\n${index}` };
}

/** What the answer to a repeated request says of itself. */
export function repeatHeaders(isRepeat: boolean): Readonly<Record<string, string>> {
  return isRepeat ? { "idempotent-replayed": "true" } : {};
}

/** The same text for the same JSON, in whichever order its members came. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    isJsonObject(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
