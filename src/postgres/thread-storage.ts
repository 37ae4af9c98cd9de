/** The SQL that measures what a thread's states take up. */

import sql from "sql-template-tag";
import type { StoredStates, ThreadStorageStore } from "../core/thread-storage.ts";
import { rows, type Db } from "./sql.ts";

/** Sizes are those of the columns with content, as stored; nothing is decompressed for it. */
export function threadStorageStore(db: Db): ThreadStorageStore {
  return {
    measure: async (thread_id) => {
      const [measured = NOTHING] = await rows<StoredStates>(
        db,
        sql`
        with channels as (
          select channel, count(*) as versions, coalesce(sum(pg_column_size(blob)), 0) as bytes
          from public.checkpoint_blobs where thread_id = ${thread_id} group by channel
        )
        select (
          select json_build_object('count', count(*),
            'bytes', coalesce(sum(pg_column_size(checkpoint) + pg_column_size(metadata)), 0))
          from public.checkpoints where thread_id = ${thread_id}
        ) as checkpoints, (
          select json_build_object('count', coalesce(sum(versions), 0), 'bytes', coalesce(sum(bytes), 0),
            'by_channel', coalesce(
              json_object_agg(channel, json_build_object('versions', versions, 'bytes', bytes) order by channel),
              '{}'))
          from channels
        ) as channel_values, (
          select json_build_object('count', count(*), 'bytes', coalesce(sum(pg_column_size(blob)), 0))
          from public.checkpoint_writes where thread_id = ${thread_id}
        ) as pending_writes`,
      );
      return measured;
    },
  };
}

const NOTHING: StoredStates = {
  checkpoints: { count: 0, bytes: 0 },
  channel_values: { count: 0, bytes: 0, by_channel: {} },
  pending_writes: { count: 0, bytes: 0 },
};
