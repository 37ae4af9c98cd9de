/** What falls due: a tick asks once, and then does only what there is to do. */

import type { QueueState } from "./status.ts";

/** Which kinds of things are due. */
export interface Due {
  /** Runs whose lease has lapsed, whose message was lost, or that wait although their client has left. */
  readonly runs: boolean;
  readonly crons: boolean;
  /** Events of runs that ended long ago. */
  readonly events: boolean;
  /** Temporary threads that ended long ago. */
  readonly ended_threads: boolean;
  readonly rate_limits: boolean;
  /** Deliveries whose message was lost. */
  readonly webhooks: boolean;
  /** Deliveries that were given up long ago. */
  readonly failed_webhooks: boolean;
  readonly keys: boolean;
  /** Threads that were to be kept until now. */
  readonly threads: boolean;
  /** Items of the store that were to be kept until now. */
  readonly items: boolean;
  /** Resume links that have expired. */
  readonly links: boolean;
}

/** What counts as due. */
export interface AgendaTerms {
  /** Runs that could have started before this, and were not claimed; deliveries alike. */
  readonly forgottenSince: Date;
  /** Deliveries that were given up are kept until they are older than this. */
  readonly failuresSince: Date;
  /** Idempotency keys that are older mean nothing any more. */
  readonly keysSince: Date;
  /** Events are kept until the run's end is older than this. */
  readonly eventsSince: Date;
}

/** What one look at the database tells. */
export interface Looked extends Due, QueueState {}

export interface Agenda {
  /** One query, whose cost does not grow with what is not due, or has ended. */
  readonly read: (now: Date, terms: AgendaTerms) => Promise<Looked>;
}

/** Deletes what nobody needs any more, a batch at a time, and none that another process is deleting. @returns how many */
export interface Retention {
  readonly removeEvents: (since: Date, limit: number) => Promise<number>;
  readonly removeRateLimits: (now: Date, limit: number) => Promise<number>;
  readonly removeKeys: (since: Date, limit: number) => Promise<number>;
  /** Deliveries that were given up before. */
  readonly removeFailedWebhooks: (since: Date, limit: number) => Promise<number>;
}
