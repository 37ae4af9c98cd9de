/** The rules of threads: what a thread id is, and what a thread's state looks like. */

import { AppError } from "../errors.ts";
import { withCheckpointer, type Graph, type StateSnapshot } from "./graphs.ts";
import type { Checkpointers, RunStore } from "./ports.ts";

const MAX_THREAD_ID_LENGTH = 256;
const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;

/** Thread ids are used as given. @throws AppError `invalid_thread_id` */
export function checkThreadId(threadId: unknown): string {
  if (typeof threadId !== "string") throw new AppError("invalid_thread_id", "thread_id must be a string");
  if (threadId === "") throw new AppError("invalid_thread_id", "Thread ID must not be empty");
  if (threadId.length > MAX_THREAD_ID_LENGTH) {
    throw new AppError(
      "invalid_thread_id",
      `Thread ID exceeds maximum length of ${MAX_THREAD_ID_LENGTH} characters`,
    );
  }
  if (!PRINTABLE_ASCII.test(threadId)) {
    throw new AppError("invalid_thread_id", "Thread ID must contain only printable ASCII characters");
  }
  return threadId;
}

/**
 * The newest state of a thread.
 * @throws AppError `not_found` when the thread has no state, belongs to another graph, or the graph keeps none.
 */
export async function readState(
  { runs, checkpointers }: { readonly runs: RunStore; readonly checkpointers: Checkpointers },
  graph: Graph,
  threadId: string,
): Promise<StateSnapshot> {
  const config = { configurable: { thread_id: threadId } };
  const [owner, compiled, checkpointer] = await Promise.all([
    runs.threadGraph(threadId),
    graph.load(config),
    checkpointers.forThread(),
  ]);
  const readable = compiled.checkpointer === undefined ? withCheckpointer(compiled, checkpointer) : compiled;
  const isOurs = owner === null || owner === graph.name;
  const state = isOurs && readable.checkpointer !== false ? await readable.getState(config) : undefined;
  if (state?.metadata === undefined) throw new AppError("not_found", `Thread '${threadId}' not found`);
  return state;
}
