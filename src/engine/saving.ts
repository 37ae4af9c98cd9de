/** What a run does about state that could not be saved: it stops, and what was saved is gone on from. */

import { inSpan } from "../telemetry.ts";
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
 * the first that fails is told to `stop`, and none is made after it. The checkpointer itself stays as it was: one that a
 * graph brings along serves other runs, too. What the run has streamed is `logged` before its state is saved: who goes
 * on from that state repeats nothing of it.
 */
export function stoppingAtFailure<Saver extends Checkpointer>(
  checkpointer: Saver,
  stop: (reason: NotSaved) => void,
  logged: () => Promise<void>,
): Saver {
  let isStopped = false;
  const guarded =
    (name: string, write: Method) =>
    async (...values: readonly unknown[]): Promise<unknown> => {
      if (isStopped) return undefined;
      try {
        if (name === "put") await everythingElse().then(logged);
        return await inSpan("checkpoint write", {}, async (): Promise<unknown> =>
          Reflect.apply(write, checkpointer, values),
        );
      } catch (error) {
        isStopped = true;
        stop(new NotSaved(error));
        return undefined;
      }
    };
  return new Proxy(checkpointer, {
    get: (target, name): unknown => {
      const value: unknown = Reflect.get(target, name, target);
      if (!isMethod(value)) return value;
      return name === "put" || name === "putWrites" ? guarded(name, value) : value.bind(target); // its private fields are its own
    },
  });
}

/** What the graph has emitted in the same moment is on its way to the journal by then. */
async function everythingElse(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

type Method = (...values: readonly unknown[]) => unknown;

function isMethod(value: unknown): value is Method {
  return typeof value === "function";
}
