/** Rate limits as HTTP tells of them. @see https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/ */

import { BlockList, isIP } from "node:net";
import type { Allowance, RateLimiter } from "../core/rate-limits.ts";
import type { Invocation } from "../core/model.ts";
import { AppError } from "../errors.ts";

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
  const refused = address === undefined || isProxy(address) ? undefined : limiter?.refused(address);
  if (refused !== undefined) tell(refused, headers);
  try {
    return await check();
  } catch (error) {
    if (limiter !== undefined && isUnauthorized(error))
      tell(await limiter.fail(address ?? "unknown"), headers);
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

const PRIVATE = new BlockList();
PRIVATE.addSubnet("127.0.0.0", 8);
PRIVATE.addSubnet("10.0.0.0", 8);
PRIVATE.addSubnet("172.16.0.0", 12);
PRIVATE.addSubnet("192.168.0.0", 16);
PRIVATE.addSubnet("::1", 128, "ipv6");
PRIVATE.addSubnet("fc00::", 7, "ipv6");
PRIVATE.addSubnet("fe80::", 10, "ipv6");

/** An address inside the operator's network is most likely a proxy, with everybody behind it. */
function isProxy(address: string): boolean {
  const version = isIP(address);
  return version !== 0 && PRIVATE.check(address, version === 6 ? "ipv6" : "ipv4");
}
