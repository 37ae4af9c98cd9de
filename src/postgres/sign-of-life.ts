/** The SQL of runs that wait for their client to come back. */

import sql, { type Sql } from "sql-template-tag";
import type { SignStore } from "../core/sign-of-life.ts";
import { fromNow, rows, type Db } from "./sql.ts";

export function signStore(db: Db): SignStore {
  return {
    ask: async (runId, { now, until }) => {
      const [asked] = await rows<{ is_left: boolean }>(
        db,
        sql`
        update langgraph.runs set client_due_at = greatest(client_due_at, ${fromNow(until.getTime() - now.getTime())})
        where run_id = ${runId} and status in ('pending', 'running')
        returning status = 'pending' and claims > 0 as is_left`,
      );
      return asked?.is_left === true;
    },
    given: async (runId) =>
      void (await rows(
        db,
        sql`update langgraph.runs set client_due_at = null where run_id = ${runId} and client_due_at is not null`,
      )),
  };
}

/** What the run `r` was asked for, if it is to stop: by somebody, or by a client that is not back in time. */
export const stopAsked: Sql = sql`coalesce(r.cancel_action, case when r.client_due_at < now() then 'interrupt' end)`;

/**
 * Those that wait, for an executor or for their turn, whose client is not back, and that nobody has cancelled yet; without
 * order, limit and locks.
 */
export const abandonedRuns: Sql = sql`
  select r.run_id from langgraph.runs r where r.status = 'pending' and r.client_due_at < now() and r.cancel_action is null`;
