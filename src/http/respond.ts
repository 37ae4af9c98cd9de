/** How answers look: JSON, and errors that say what a client may know. */

import { randomUUID } from "node:crypto";
import type { Logger } from "../core/logger.ts";
import type { Found } from "../core/paging.ts";
import { AppError } from "../errors.ts";

export function json(body: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Response {
  return Response.json(body, { status, headers: { "cache-control": "no-store", ...headers } });
}

/** A page, and in headers how much there is besides. */
export function pageOf<Item extends object>(
  { items, total, next }: Found<Item>,
  show: (item: Item) => object = (item) => item,
): Response {
  const shown = items.map((item) => show(item));
  const headers = next === null ? {} : { "x-pagination-next": String(next) };
  return json(shown, 200, { "x-pagination-total": String(total), ...headers });
}

export function noContent(): Response {
  return new Response(null, { status: 204, headers: { "cache-control": "no-store" } });
}

export interface ErrorBody {
  /** A word for programs, stable across versions. */
  readonly error: string;
  /** For a person. */
  readonly detail: string;
}

export function errorResponse(error: unknown, logger: Logger): Response {
  const known = publicError(error, logger);
  const response = json({ error: known.code, detail: known.message } satisfies ErrorBody, known.status);
  if (known.retryAfterSeconds !== undefined)
    response.headers.set("retry-after", String(known.retryAfterSeconds));
  if (known.challenge !== undefined) response.headers.set("www-authenticate", known.challenge);
  return response;
}

/** What a client may know of an error. What it may not is logged, under an id that the client is given. */
export function publicError(error: unknown, logger: Logger): AppError {
  const known =
    error instanceof AppError ? error : new AppError("internal", "Internal error", { cause: error });
  if (known.status < 500 || known.code === "stream_not_supported" || known.errorId !== undefined)
    return known;
  const error_id = randomUUID();
  const { code, message: reason, cause = known } = known;
  logger.error({ error_id, code, reason, err: cause }, "A request failed");
  return new AppError(known.code, `${known.message} (error id ${error_id})`, {
    cause: error,
    errorId: error_id,
    ...(known.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: known.retryAfterSeconds }),
  });
}

/**
 * A response whose headers can be changed, which they cannot where it comes from `fetch` or `Response.redirect`. Of
 * `Response.error()`, which is no answer, it makes one.
 */
export function changeable(response: Response): Response {
  if (response.status === 0)
    return json({ error: "internal", detail: "Internal error" } satisfies ErrorBody, 500);
  try {
    response.headers.delete("x-changeable");
    return response;
  } catch {
    return new Response(response.body, response);
  }
}
