/** The newest state of a thread, by the graph that is asked for. */

import { isEverything, type Caller } from "./auth.ts";
import type { Checkpointers } from "./execution.ts";
import type { Graph, StateSnapshot } from "./graphs.ts";
import { configOf, keeping, loadFor } from "./thread-states.ts";
import { missing, type ThreadStore } from "./threads.ts";

export interface StateDeps {
  readonly threads: Pick<ThreadStore, "boundTo">;
  readonly checkpointers: Checkpointers;
}

/**
 * Of a thread without a record, it is for callers who reach everything.
 * @throws AppError `not_found` when the thread has no state, belongs to another graph, or the graph keeps none.
 */
export async function readState(
  { threads, checkpointers }: StateDeps,
  caller: Caller,
  graph: Graph,
  threadId: string,
): Promise<StateSnapshot> {
  const { scope } = await caller.authorize("threads:read", { thread_id: threadId });
  const isOurs = async (): Promise<boolean> => {
    const bound = await threads.boundTo(threadId, scope);
    return bound === null ? isEverything(scope) : (bound.graph_id ?? graph.name) === graph.name;
  };
  // Where callers are told apart, the thread may be made anew by somebody else while its state is read: it is asked last.
  const [isKnownOurs, compiled, checkpointer] = await Promise.all([
    !isEverything(scope) || isOurs(),
    loadFor(graph, caller, threadId),
    checkpointers.forThread(),
  ]);
  const readable = keeping(compiled, checkpointer);
  if (!isKnownOurs || readable.checkpointer === false) throw missing(threadId);
  const [read] = await Promise.allSettled([readable.getState(configOf(threadId, {}))]);
  if (!isEverything(scope) && !(await isOurs())) throw missing(threadId);
  if (read.status === "rejected") throw read.reason;
  if (read.value.metadata === undefined) throw missing(threadId);
  return read.value;
}
