/** How many requests one caller may send. What counts is kept where all instances see it. */

/** What a request has left of a rate limit. */
export interface Allowance {
  readonly isAllowed: boolean;
  /** Of requests in the period. */
  readonly limit: number;
  readonly remaining: number;
  /** Until the period ends and another one begins. */
  readonly resetSeconds: number;
  /** The whole period. */
  readonly perSeconds: number;
}

/** Counts requests across all instances. */
export interface RateLimiter {
  /** One request of a caller. */
  readonly take: (identity: string) => Promise<Allowance>;
  /** One request from an address with credentials that are wrong or missing. */
  readonly fail: (address: string) => Promise<Allowance>;
  /** What this instance knows of an address that has failed too often; undefined for any other. Asks nobody. */
  readonly refused: (address: string) => Allowance | undefined;
}
