/** The SQL of webhooks. What is to be delivered is recorded by the statement that ends the run. */

import sql, { empty, type Sql } from "sql-template-tag";
import { HIDDEN_KWARGS } from "../core/run-kwargs.ts";
import type { ClaimedRun } from "../core/ports.ts";
import type { Delivery, WebhookStatus, WebhookStore } from "../core/webhooks.ts";
import { EncryptionError, type SealingDb } from "./encryption.ts";
import { openDelivery } from "./sealed.ts";
import { rows } from "./sql.ts";

export function webhookStore(db: SealingDb): WebhookStore {
  const isOurs = ({ webhook_id, attempts }: Delivery): Sql =>
    sql`webhook_id = ${webhook_id} and attempts = ${attempts} and failed_at is null`;
  return {
    claim: async (webhookId, now, until) => {
      const [claimed] = await rows<Delivery>(
        db,
        sql`
        update langgraph.webhooks set attempts = attempts + 1, due_at = ${until}
        where webhook_id = ${webhookId} and due_at <= ${now} and failed_at is null
        returning webhook_id, url, body, attempts`,
      );
      return claimed === undefined ? null : await opened(db, claimed, now);
    },
    delivered: async (delivery) => {
      await rows(db, sql`delete from langgraph.webhooks where ${isOurs(delivery)}`);
    },
    failed: async (delivery, error, { now, dueAt }) => {
      await rows(
        db,
        sql`
        update langgraph.webhooks
        set last_error = ${error}, due_at = coalesce(${dueAt}::timestamptz, due_at),
          failed_at = case when ${dueAt}::timestamptz is null then ${now}::timestamptz end
        where ${isOurs(delivery)}`,
      );
    },
    forgotten: async (since) => {
      const found = await rows<{ webhook_id: string }>(
        db,
        sql`
        select webhook_id from langgraph.webhooks where due_at < ${since} and failed_at is null
        order by due_at limit 100`,
      );
      return found.map(({ webhook_id }) => webhook_id);
    },
  };
}

/** How long one that does not open waits for its key, and how often. */
const KEY_PAUSE_MS = 3_600_000;
const KEY_ATTEMPTS = 72;

/** One that does not open is put off, and given up in the end; the error tells the log. @throws EncryptionError */
async function opened(db: SealingDb, delivery: Delivery, now: Date): Promise<Delivery> {
  try {
    return openDelivery(db.cipher, delivery);
  } catch (error) {
    if (!(error instanceof EncryptionError)) throw error;
    await rows(
      db,
      sql`
      update langgraph.webhooks
      set last_error = ${error.message}, due_at = ${new Date(now.getTime() + KEY_PAUSE_MS)},
        failed_at = case when attempts >= ${KEY_ATTEMPTS} then ${now}::timestamptz end
      where webhook_id = ${delivery.webhook_id} and attempts = ${delivery.attempts}`,
    );
    throw error;
  }
}

/** What the receiver is told of the end. */
export interface ToldEnd {
  readonly status: WebhookStatus;
  readonly error?: string | undefined;
  /** The thread's if absent. */
  readonly values?: unknown;
}

/**
 * A part of a `with` list that records the webhook of a run, if it has one and the part named `held` has its row, with
 * `webhookColumns`.
 */
export function recordWebhook({ kwargs }: ClaimedRun, now: Date, end: ToldEnd): Sql {
  return kwargs.webhook === undefined ? empty : sql`, webhook as (${deliveries(sql`held`, now, end)})`;
}

/** What a statement that ends a run returns of it: no more than its thread when nobody is to be told. */
export function endColumns({ kwargs }: ClaimedRun): Sql {
  return kwargs.webhook === undefined ? sql`thread_id` : webhookColumns;
}

/** What is told of a run. */
export const webhookColumns = sql`run_id, thread_id, assistant_id, metadata, kwargs, multitask_strategy, created_at, started_at`;

/** Records a delivery for each row of `ended` that has a webhook. */
export function deliveries(ended: Sql, now: Date, { status, error, values }: ToldEnd): Sql {
  const end = { status, values, error, updated_at: now, run_ended_at: now };
  return sql`
    insert into langgraph.webhooks (webhook_id, url, body, created_at, due_at)
    select run_id, kwargs ->> 'webhook', jsonb_build_object(
      'run_id', run_id, 'thread_id', thread_id, 'assistant_id', assistant_id, 'metadata', metadata,
      'values', (select t."values" from langgraph.threads t where t.thread_id = ended.thread_id),
      'kwargs', kwargs - ${[...HIDDEN_KWARGS]}::text[], 'multitask_strategy', multitask_strategy,
      'created_at', ${iso(sql`created_at`)}, 'run_started_at', ${iso(sql`started_at`)}
    ) || ${JSON.stringify(end)}::jsonb, ${now}::timestamptz, ${now}::timestamptz
    from ${ended} ended where kwargs ? 'webhook'`;
}

/** As JSON has times: `2026-01-31T12:00:00.000Z`. */
function iso(time: Sql): Sql {
  return sql`to_char(${time} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}
