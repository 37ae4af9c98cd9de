/** Rate limits that all instances share. Import it lazily: most apps set none. */

import { createHash } from "node:crypto";
import { RateLimiterPostgres, RateLimiterRes } from "rate-limiter-flexible";
import type { Clock } from "../clock.ts";
import type { Allowance, RateLimiter } from "../core/rate-limits.ts";
import type { Database } from "./pool.ts";
import { translate } from "./sql.ts";

export interface RateLimit {
  readonly requests: number;
  readonly perSeconds: number;
}

const MAX_KEY = 200;
const MAX_REFUSED = 1_000;

type Limiter = Pick<RateLimiterPostgres, "consume">;

/** One statement a request; none for a caller of whom this instance knows that nothing is left. */
export function rateLimiter(database: Database, clock: Pick<Clock, "now">, limit: RateLimit): RateLimiter {
  const requests = openLimiter(database, limit, "requests");
  const failures = openLimiter(database, limit, "failures");
  const refused = new Map<string, Date>();
  return {
    take: async (identity) => consume(requests, limit, identity),
    fail: async (address) => {
      const allowance = await consume(failures, limit, address);
      if (allowance.remaining === 0)
        remember(refused, address, new Date(clock.now().getTime() + allowance.resetSeconds * 1000));
      return allowance;
    },
    refused: (address) => {
      const until = refused.get(address);
      const ms = until === undefined ? 0 : until.getTime() - clock.now().getTime();
      return ms > 0 ? { ...shown(limit, { remaining: 0, ms }), isAllowed: false } : undefined;
    },
  };
}

function openLimiter(database: Database, { requests, perSeconds }: RateLimit, keyPrefix: string): Limiter {
  return new RateLimiterPostgres({
    // The library names its statements, and what is prepared under a name is lost behind a transaction-mode pooler.
    storeClient: {
      query: async ({ text, values }: { readonly text: string; readonly values: unknown[] }) => {
        await database.ready();
        return database.pool.query(text, values);
      },
    },
    storeType: "pool",
    schemaName: "langgraph",
    tableName: "rate_limits",
    tableCreated: true,
    clearExpiredByTimeout: false,
    keyPrefix,
    points: requests,
    duration: perSeconds,
    inMemoryBlockOnConsumed: requests,
  });
}

async function consume(limiter: Limiter, limit: RateLimit, key: string): Promise<Allowance> {
  try {
    const { remainingPoints, msBeforeNext } = await limiter.consume(stored(key));
    return { isAllowed: true, ...shown(limit, { remaining: remainingPoints, ms: msBeforeNext }) };
  } catch (error) {
    if (!(error instanceof RateLimiterRes)) throw translate(error);
    return { isAllowed: false, ...shown(limit, { remaining: 0, ms: error.msBeforeNext }) };
  }
}

function shown(
  { requests, perSeconds }: RateLimit,
  { remaining, ms }: { readonly remaining: number; readonly ms: number },
): Omit<Allowance, "isAllowed"> {
  return { limit: requests, remaining, resetSeconds: Math.max(1, Math.ceil(ms / 1000)), perSeconds };
}

/** The table has room for so much. */
function stored(key: string): string {
  return key.length <= MAX_KEY ? key : createHash("sha256").update(key).digest("base64url");
}

/** Of more than we keep, the first is forgotten; it is refused again when it has failed once more. */
function remember(refused: Map<string, Date>, address: string, until: Date): void {
  refused.delete(address);
  const [first] = refused.keys();
  if (refused.size >= MAX_REFUSED && first !== undefined) refused.delete(first);
  refused.set(address, until);
}
