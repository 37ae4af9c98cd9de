/** Rate limits that all instances share. Import it lazily: most apps set none. */

import { RateLimiterPostgres, RateLimiterRes } from "rate-limiter-flexible";
import type { RateLimiter } from "../core/ports.ts";
import { AppError } from "../errors.ts";
import type { Database } from "./pool.ts";
import { translate } from "./sql.ts";

export interface RateLimit {
  readonly requests: number;
  readonly perSeconds: number;
}

export function rateLimiter(database: Database, { requests, perSeconds }: RateLimit): RateLimiter {
  const limiter = new RateLimiterPostgres({
    storeClient: database.pool,
    storeType: "pool",
    schemaName: "langgraph",
    tableName: "rate_limits",
    tableCreated: true,
    clearExpiredByTimeout: false,
    keyPrefix: "requests",
    points: requests,
    duration: perSeconds,
  });
  return {
    take: async (identity) => {
      await database.ready();
      try {
        await limiter.consume(identity);
      } catch (error) {
        if (!(error instanceof RateLimiterRes)) throw translate(error);
        throw new AppError("rate_limited", `More than ${requests} requests in ${perSeconds} s`, {
          retryAfterSeconds: Math.max(1, Math.ceil(error.msBeforeNext / 1000)),
        });
      }
    },
  };
}
