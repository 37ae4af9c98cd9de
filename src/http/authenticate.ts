/** Who may call a route: the key level that the host has verified against the one that the route asks for. */

import { createHash } from "node:crypto";
import type { AuthLevel, Invocation } from "../core/model.ts";
import { AppError } from "../errors.ts";

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

/** The key of a request, in either of the places where the Azure Functions host looks. */
export function functionKey(request: Request): string | null {
  return request.headers.get("x-functions-key") ?? new URL(request.url).searchParams.get("code");
}

/** Whose requests count together: those of a verified key, else those of an address. Keys are never stored as they are. */
export function identity(request: Request, { authLevel, address }: Invocation): string {
  const key = authLevel === "anonymous" ? null : functionKey(request);
  if (key === null) return `address:${address ?? "unknown"}`;
  return `key:${createHash("sha256").update(key).digest("base64url")}`;
}
