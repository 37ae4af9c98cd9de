/** What the statements that give or take the lease of a run have in common. */

import sql, { type Sql } from "sql-template-tag";
import type { LeaseTerm } from "../core/ports.ts";
import { stopAsked } from "./sign-of-life.ts";
import { fromNow } from "./sql.ts";

/** The thread's newest event: in the log while or after a run was executing, else where the last run left it. */
export const claimColumns = sql`r.run_id, r.lease_id, r.thread_id, r.graph_id, r.assistant_id, r.metadata, r.kwargs, r.attempt, r.claims, t.is_temporary, ${stopAsked} as cancel_action, r.started_at,
  greatest(0, extract(epoch from now() - r.due_at))::float8 as waited_s,
  greatest(t.last_seq, (select max(e.seq) from langgraph.events e where e.thread_id = r.thread_id))::float8 as last_seq,
  not exists (select from public.checkpoints c where c.thread_id = r.thread_id) as is_fresh`;

export function endOf({ now, until }: LeaseTerm): Sql {
  return fromNow(until.getTime() - now.getTime());
}

/** For a next run of the threads that starts although this one will not: it may be cancelled while it waits. */
export function countEvents(threads: Sql, newest: Sql): Sql {
  return sql`update langgraph.threads t set last_seq = greatest(t.last_seq, ${newest}) where t.thread_id in (${threads})`;
}
