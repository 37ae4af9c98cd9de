/** The SQL of open streams. */

import sql from "sql-template-tag";
import type { StreamStore } from "../core/streams.ts";
import { fromNow, rows, type Db } from "./sql.ts";

export function streamStore(db: Db): StreamStore {
  return {
    open: async ({ stream_id, identity }, max, { now, until }) => {
      const opened = await rows(
        db,
        sql`
        insert into langgraph.streams (stream_id, identity, lease_until)
        select ${stream_id}::uuid, ${identity}, ${fromNow(until.getTime() - now.getTime())}
        where langgraph.open_streams(${identity}) < ${max}::int
        returning stream_id`,
      );
      return opened.length > 0;
    },
    hold: async (stream_id, { now, until }) => {
      await rows(
        db,
        sql`
        update langgraph.streams set lease_until = ${fromNow(until.getTime() - now.getTime())}
        where stream_id = ${stream_id}`,
      );
    },
    close: async (stream_id) => {
      await rows(db, sql`delete from langgraph.streams where stream_id = ${stream_id}`);
    },
  };
}
