/** The rules of deleting threads, and of forgetting what led to their newest state. */

import type { Caller, Scope } from "./auth.ts";
import type { Logger } from "./logger.ts";
import type { Thread, PruneStrategy } from "./model.ts";
import { ownCheckpointer, refuseOwnCheckpointer } from "./own-checkpointers.ts";
import type { ThreadFilter } from "./thread-store.ts";
import { missing, reachThread, type ThreadDeps } from "./threads.ts";
import { tryEach } from "./try-each.ts";

/**
 * Leaves nothing of the thread; a run of it that executes just now can write nothing more.
 * @throws AppError `not_found`, `forbidden`
 */
export async function deleteThread(deps: ThreadDeps, caller: Caller, threadId: string): Promise<void> {
  const { scope } = await caller.authorize("threads:delete", { thread_id: threadId });
  const thread = await reachThread(deps, scope, threadId);
  if ((await removeThreads(deps, scope, [thread])) === 0) throw missing(threadId);
}

/**
 * Deletes those of the threads that there are, or what led to their newest state; threads with an active run are not
 * pruned to that.
 * @throws AppError `forbidden`, and then nothing is deleted; `invalid_request` when a graph keeps its states where we cannot prune them
 */
export async function pruneThreads(
  deps: ThreadDeps,
  caller: Caller,
  ids: readonly string[],
  strategy: PruneStrategy,
): Promise<{ readonly pruned_count: number }> {
  let pruned_count = 0;
  for (const [scope, reached] of await deletableOf(caller, ids))
    pruned_count += await pruneWithin(deps, scope, reached, strategy);
  return { pruned_count };
}

/** What a caller may delete, by how far it reaches: what it is told may differ from thread to thread. */
async function deletableOf(
  caller: Caller,
  ids: readonly string[],
): Promise<readonly (readonly [Scope, readonly string[]])[]> {
  if (ids.length === 0) await caller.authorize("threads:delete", {});
  const groups = new Map<string, [Scope, string[]]>();
  for (const thread_id of new Set(ids)) {
    const { scope } = await caller.authorize("threads:delete", { thread_id });
    const kind = JSON.stringify(scope);
    const group = groups.get(kind);
    if (group === undefined) groups.set(kind, [scope, [thread_id]]);
    else group[1].push(thread_id);
  }
  return [...groups.values()];
}

async function pruneWithin(
  deps: ThreadDeps,
  scope: Scope,
  ids: readonly string[],
  strategy: PruneStrategy,
): Promise<number> {
  const page = { limit: ids.length, offset: 0, sort_by: "thread_id", sort_order: "asc" } as const;
  const found = await deps.threads.search({ ids }, scope, { ...page, select: ["thread_id", "metadata"] });
  switch (strategy) {
    case "delete":
      return removeThreads(deps, scope, found);
    case "keep_latest":
      for (const thread of found) await refuseOwnCheckpointer(deps, thread, "prune");
      return deps.threadStates.prune(idsOf(found), scope);
  }
}

const AT_ONCE = 500;

/** Deletes all that the caller may delete of those that match. @throws AppError `forbidden` */
export async function deleteMatching(deps: ThreadDeps, caller: Caller, filter: ThreadFilter): Promise<void> {
  const { scope } = await caller.authorize("threads:delete", {});
  const page = { limit: AT_ONCE, sort_by: "thread_id", sort_order: "asc", select: ["thread_id"] } as const;
  for (let offset = 0; ;) {
    const ids = idsOf(await deps.threads.search(filter, scope, { ...page, offset }));
    const { pruned_count } = await pruneThreads(deps, caller, ids, "delete");
    if (ids.length < AT_ONCE) return;
    offset += ids.length - pruned_count; // those that stay
  }
}

/**
 * Does with threads whose time has come what they asked for. Those with an active run have to wait.
 * @returns how many
 * @throws the first failure of a graph's own checkpointer, when all have been tried
 */
export async function sweepThreads(
  deps: ThreadDeps & { readonly logger: Logger },
  limit: number,
): Promise<number> {
  const { removed, pruned } = await deps.threadStates.expire(deps.clock.now(), limit);
  await tryEach(
    removed,
    async (thread) => forgetElsewhere(deps, thread),
    ({ thread_id }, err) =>
      deps.logger.error(
        { thread_id, err },
        "A thread is gone, but not what its graph's own checkpointer has of it",
      ),
  );
  return removed.length + pruned;
}

async function removeThreads(
  deps: ThreadDeps,
  scope: Scope,
  found: readonly Partial<Thread>[],
): Promise<number> {
  for (const thread of found) await forgetElsewhere(deps, thread); // first: who is told that it failed can ask again
  const removed = await deps.threads.remove(idsOf(found), scope);
  return removed.length;
}

function idsOf(found: readonly Partial<Thread>[]): readonly string[] {
  return found.flatMap(({ thread_id }) => thread_id ?? []);
}

async function forgetElsewhere(deps: Pick<ThreadDeps, "graphs">, thread: Partial<Thread>): Promise<void> {
  const own = await ownCheckpointer(deps, thread);
  if (thread.thread_id !== undefined) await own?.deleteThread?.(thread.thread_id);
}
