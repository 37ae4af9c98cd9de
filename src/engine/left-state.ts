/** What a run leaves on its thread when it stops before its end. */

import type { Checkpointer } from "../core/execution.ts";
import type { CompiledGraph } from "../core/graphs.ts";
import { isJsonObject } from "../core/model.ts";
import type { ClaimedRun } from "../core/ports.ts";
import type { RunKwargs } from "../core/run-kwargs.ts";
import { toPlain } from "./plain.ts";

type OnThread = Pick<ClaimedRun, "thread_id">;

/** As the Platform has them: by the task that waits. */
export async function interruptsOf(graph: CompiledGraph, { thread_id }: OnThread): Promise<unknown> {
  if (!isCheckpointer(graph.checkpointer)) return {};
  const { tasks = [] } = await graph.getState({ configurable: { thread_id } });
  return toPlain(
    Object.fromEntries(
      tasks.flatMap(({ id, interrupts = [] }) => (interrupts.length > 0 ? [[id, interrupts]] : [])),
    ),
  );
}

/** The values of the newest state; undefined when nothing was saved, or it cannot be read. */
export async function savedValues(graph: CompiledGraph, { thread_id }: OnThread): Promise<unknown> {
  if (!isCheckpointer(graph.checkpointer)) return undefined;
  const state = await graph.getState({ configurable: { thread_id } }).catch(() => undefined);
  return state?.config.configurable?.["checkpoint_id"] === undefined ? undefined : toPlain(state.values);
}

export function isCheckpointer(value: unknown): value is Checkpointer {
  return isJsonObject(value) && typeof value["getTuple"] === "function";
}

/** Whether another invocation can go on with the run as if nothing had been: from its checkpoints, with its context. */
export function canGoOnElsewhere({ checkpointer }: CompiledGraph, { made_context }: RunKwargs): boolean {
  return isCheckpointer(checkpointer) && !(made_context !== undefined && "is_lost" in made_context);
}
