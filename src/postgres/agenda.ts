/** The SQL of ticks: what is due, and the removal of what has expired. */

import sql, { type Sql } from "sql-template-tag";
import type { Agenda, Looked, Retention } from "../core/agenda.ts";
import { forgottenRuns, lapsedRuns } from "./recovery.ts";
import { removeBatch } from "./remove-batch.ts";
import { abandonedRuns } from "./sign-of-life.ts";
import { rows, type Db } from "./sql.ts";
import { queueState } from "./status.ts";

export function agenda(db: Db): Agenda {
  return {
    read: async (now, { forgottenSince, eventsSince, failuresSince, keysSince }) => {
      const [looked] = await rows<Looked>(
        db,
        sql`
        select state.*,
          exists (${lapsedRuns} limit 1) or exists (${forgottenRuns(forgottenSince.getTime() - now.getTime())} limit 1)
            or exists (${abandonedRuns} limit 1) as runs,
          exists (select from langgraph.crons where next_run_date <= ${now}) as crons,
          (select true from langgraph.events e where ${expired(eventsSince)} order by e.created_at limit 1) is not null as events,
          exists (select from langgraph.ended_threads where ended_at < ${eventsSince}) as ended_threads,
          exists (select from langgraph.rate_limits where expire < ${now.getTime()}) as rate_limits,
          exists (select from langgraph.webhooks where due_at < ${forgottenSince} and failed_at is null) as webhooks,
          exists (select from langgraph.webhooks where failed_at < ${failuresSince}) as failed_webhooks,
          exists (select from langgraph.idempotency_keys where created_at < ${keysSince}) as keys,
          exists (select from langgraph.threads where expires_at <= ${now} and active_runs = 0) as threads,
          exists (select from langgraph.store_items where expires_at <= ${now}) as items,
          exists (select from langgraph.resume_links where expires_at <= ${now}) as links
        from (${queueState}) state`,
      );
      return looked ?? NOTHING;
    },
  };
}

const NOTHING: Looked = {
  waiting: 0,
  running: 0,
  oldestWaitingSince: null,
  runs: false,
  crons: false,
  events: false,
  ended_threads: false,
  rate_limits: false,
  webhooks: false,
  failed_webhooks: false,
  keys: false,
  threads: false,
  items: false,
  links: false,
};

export function retention(db: Db): Retention {
  return {
    removeEvents: async (since, limit) =>
      removeBatch(db, sql`langgraph.events e`, {
        where: expired(since),
        order: sql`e.created_at`,
        limit,
      }),
    removeRateLimits: async (now, limit) =>
      removeBatch(db, sql`langgraph.rate_limits`, {
        where: sql`expire < ${now.getTime()}`,
        order: sql`expire`,
        limit,
      }),
    removeKeys: async (since, limit) =>
      removeBatch(db, sql`langgraph.idempotency_keys`, {
        where: sql`created_at < ${since}`,
        order: sql`created_at`,
        limit,
      }),
    removeFailedWebhooks: async (since, limit) =>
      removeBatch(db, sql`langgraph.webhooks`, {
        where: sql`failed_at < ${since}`,
        order: sql`failed_at`,
        limit,
      }),
  };
}

/** Of runs that ended before this, or that are gone. A subquery for each event, as a join would read all runs. */
const expired = (since: Date): Sql => sql`
  e.created_at < ${since} and not coalesce((
    select r.status in ('pending', 'running') or r.updated_at >= ${since}
    from langgraph.runs r where r.run_id = e.run_id), false)`;
