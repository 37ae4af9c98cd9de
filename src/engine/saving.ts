/** What a run does about state that could not be saved. */

import type { Checkpointer } from "../core/execution.ts";

/** The run's state could not be saved, for the reason that is the cause. */
export class NotSaved extends Error {
  override readonly name = "NotSaved";

  constructor(cause: unknown) {
    super("The state could not be saved", { cause });
  }
}

/**
 * LangGraph saves while it goes on, and looks at what became of it at the end of a run only: a write that is rejected
 * before that is an unhandled rejection, which ends the process and all else that it executes. So no write rejects;
 * the first that fails is told to `stop`, and none is made after it.
 */
export function stoppingAtFailure<Saver extends Checkpointer>(
  checkpointer: Saver,
  stop: (reason: NotSaved) => void,
): Saver {
  let isStopped = false;
  for (const name of ["put", "putWrites"] as const) {
    const write: unknown = Reflect.get(checkpointer, name);
    if (typeof write !== "function") continue;
    const guarded = async (...values: readonly unknown[]): Promise<unknown> => {
      if (isStopped) return undefined;
      try {
        const written: unknown = await Reflect.apply(write, checkpointer, values);
        return written;
      } catch (error) {
        isStopped = true;
        stop(new NotSaved(error));
        return undefined;
      }
    };
    Object.defineProperty(checkpointer, name, { value: guarded });
  }
  return checkpointer;
}
