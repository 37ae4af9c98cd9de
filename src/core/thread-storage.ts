/** What a thread's states take up in the database. */

import type { Caller } from "./auth.ts";
import type { GraphRegistry } from "./graphs.ts";
import { refuseOwnCheckpointer } from "./own-checkpointers.ts";
import type { ThreadStore } from "./thread-store.ts";
import { getThread } from "./threads.ts";

export interface StoredRows {
  readonly count: number;
  /** As they are stored, which may be compressed. */
  readonly bytes: number;
}

/** By the tables that checkpoints are kept in. */
export interface StoredStates {
  readonly checkpoints: StoredRows;
  readonly channel_values: StoredRows & {
    readonly by_channel: Readonly<Record<string, { readonly versions: number; readonly bytes: number }>>;
  };
  readonly pending_writes: StoredRows;
}

export interface ThreadStorageStore {
  /** Of a thread that has no state, or that there is not: nothing. */
  readonly measure: (thread_id: string) => Promise<StoredStates>;
}

export interface ThreadStorage extends StoredStates {
  readonly thread_id: string;
  readonly total_bytes: number;
}

export interface ThreadStorageDeps {
  readonly threads: Pick<ThreadStore, "get">;
  readonly threadStorage: ThreadStorageStore;
  readonly graphs: GraphRegistry;
}

/** @throws AppError `not_found`, `forbidden`; `invalid_request` when the graph keeps its states where we cannot measure them */
export async function measureThread(
  { threads, threadStorage, graphs }: ThreadStorageDeps,
  caller: Caller,
  threadId: string,
): Promise<ThreadStorage> {
  const thread = await getThread({ threads }, caller, threadId);
  await refuseOwnCheckpointer({ graphs }, thread, "be measured");
  const { checkpoints, channel_values, pending_writes } = await threadStorage.measure(threadId);
  const total_bytes = checkpoints.bytes + channel_values.bytes + pending_writes.bytes;
  return { thread_id: threadId, total_bytes, checkpoints, channel_values, pending_writes };
}
