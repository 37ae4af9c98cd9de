/** The SQL of runs that were started by commands of the event streaming protocol. */

import sql from "sql-template-tag";
import type { CommandedRun, CommandStore } from "../core/commands.ts";
import { onThreadWithin } from "./access.ts";
import { rows, type Db } from "./sql.ts";

/** Further back, nobody follows any more. */
const CHAIN = 20;

export function commandStore(db: Db): CommandStore {
  return {
    activeRun: async (threadId, scope, commandKey) => {
      const [run] = await rows<{ run_id: string }>(
        db,
        sql`
        select run_id from langgraph.runs
        where thread_id = ${threadId} and command_key = ${commandKey} and status in ('pending', 'running')
          and ${onThreadWithin(scope, sql`${threadId}`)}`,
      );
      return run?.run_id ?? null;
    },
    newestRuns: async (threadId, scope) =>
      rows<CommandedRun>(
        db,
        sql`
        select run_id, (kwargs -> 'protocol' ->> 'after')::float8 as after,
          status in ('pending', 'running') as is_active, created_at, updated_at
        from langgraph.runs where thread_id = ${threadId} and kwargs ? 'protocol' and ${onThreadWithin(scope, sql`${threadId}`)}
        order by position desc limit ${CHAIN}`,
      ),
  };
}
