/** Graphs that bring a checkpointer of their own keep states where only it can reach: to delete, and not to copy. */

import { AppError } from "../errors.ts";
import type { GraphRegistry } from "./graphs.ts";
import type { Thread } from "./model.ts";

interface OwnCheckpointer {
  deleteThread?(threadId: string): Promise<void>;
}

/** The checkpointer that the thread's graph was compiled with; null when it uses ours, or is not registered any more. */
export async function ownCheckpointer(
  { graphs }: { readonly graphs: GraphRegistry },
  { thread_id, metadata }: Partial<Pick<Thread, "thread_id" | "metadata">>,
): Promise<OwnCheckpointer | null> {
  const graph = graphs.list().find(({ name }) => name === metadata?.["graph_id"]);
  const configurable = { ...graph?.config?.configurable, thread_id };
  const compiled = await graph?.load({ ...graph.config, configurable });
  return isCheckpointer(compiled?.checkpointer) ? compiled.checkpointer : null;
}

/** @throws AppError `invalid_request` when the thread's graph has one */
export async function refuseOwnCheckpointer(
  deps: { readonly graphs: GraphRegistry },
  thread: Partial<Pick<Thread, "thread_id" | "metadata">>,
  what: string,
): Promise<void> {
  if ((await ownCheckpointer(deps, thread)) === null) return;
  throw new AppError(
    "invalid_request",
    `The thread's graph has a checkpointer of its own, which cannot ${what}`,
  );
}

function isCheckpointer(value: unknown): value is OwnCheckpointer {
  return typeof value === "object" && value !== null;
}
