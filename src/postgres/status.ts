/** The SQL of what there is to do, and of how the schema is. Its cost grows with the runs that are active, up to a cap. */

import sql, { type Sql } from "sql-template-tag";
import type { DatabaseState, StatusStore } from "../core/status.ts";
import { firstOfTheirThread } from "./recovery.ts";
import { rows, type Db } from "./sql.ts";

/** Waiting runs that are counted at most. */
const COUNTED = 10_000;

/** One row, a `QueueState`; a part of statements that ask for more. A run waits since it, and its thread, was ready for it. */
export const queueState: Sql = sql`
  select count(*)::int as waiting, min(since) as "oldestWaitingSince",
    (select count(*)::int from langgraph.runs where status = 'running') as running
  from (
    select greatest(r.due_at, r.updated_at, (
      select before.updated_at from langgraph.runs before
      where before.thread_id = r.thread_id and before.position < r.position order by before.position desc limit 1)) as since
    from langgraph.runs r
    where r.status = 'pending' and r.due_at <= now() and ${firstOfTheirThread}
    order by r.due_at limit ${COUNTED}
  ) waiting_run`;

/** `migrations`: how many this release has. */
export function statusStore(db: Db, migrations: number): StatusStore {
  return {
    read: async () => {
      const [state] = await rows<DatabaseState>(
        db,
        sql`
        select state.*, greatest(0, ${migrations}::int - coalesce((select max(version) from langgraph.migrations), 0)) as "missingMigrations"
        from (${queueState}) state`,
      );
      return state ?? NOTHING;
    },
  };
}

const NOTHING: DatabaseState = { waiting: 0, running: 0, oldestWaitingSince: null, missingMigrations: 0 };
