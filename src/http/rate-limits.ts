/** Rate limits as HTTP tells of them. @see https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/ */

import type { Allowance, RateLimiter } from "../core/rate-limits.ts";
import type { Invocation } from "../core/model.ts";
import { AppError } from "../errors.ts";
import { isProxy, networkOf } from "./client-address.ts";

/** Counts a request. `headers` are told what is left. @throws AppError `rate_limited` */
export async function takeRequest(limiter: RateLimiter, identity: string, headers: Headers): Promise<void> {
  tell(await limiter.take(identity), headers);
}

/**
 * Has callers checked, and counts those that are refused against their address: who fails too often is not even asked
 * any more, with whatever credentials, as guesses would else go on.
 * @throws AppError `rate_limited`; what `check` throws
 */
export async function limitFailures<T>(
  limiter: RateLimiter | undefined,
  { address }: Invocation,
  headers: Headers,
  check: () => T | Promise<T>,
): Promise<T> {
  const refused =
    address === undefined || isProxy(address) ? undefined : limiter?.refused(networkOf(address));
  if (refused !== undefined) tell(refused, headers);
  try {
    return await check();
  } catch (error) {
    if (limiter !== undefined && isUnauthorized(error))
      tell(await limiter.fail(networkOf(address ?? "unknown")), headers);
    throw error;
  }
}

/** @throws AppError `rate_limited` */
function tell(allowance: Allowance, headers: Headers): void {
  const { isAllowed, limit, remaining, resetSeconds, perSeconds } = allowance;
  headers.set("ratelimit-policy", `"default";q=${limit};w=${perSeconds}`);
  headers.set("ratelimit", `"default";r=${remaining};t=${resetSeconds}`);
  if (isAllowed) return;
  throw new AppError("rate_limited", `More than ${limit} requests in ${perSeconds} s`, {
    retryAfterSeconds: resetSeconds,
  });
}

/** Ours, or an authenticator's own error with a response to it. */
function isUnauthorized(error: unknown): boolean {
  return error instanceof Error && "status" in error && error.status === 401;
}
