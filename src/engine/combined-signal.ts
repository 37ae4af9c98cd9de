import { setMaxListeners } from "node:events";

/** A signal that aborts with the first of others. */
export interface CombinedSignal extends Disposable {
  readonly signal: AbortSignal;
}

/**
 * As `AbortSignal.any`, for a graph: LangGraph leaves its listeners behind, and Node keeps whatever `any` has made, and
 * all that it leads to, for as long as it has a listener. Disposing of it lets go of the others, so that many who listen to
 * one of them, such as a process' runs to its shutdown, are no leak that Node is to warn of.
 */
export function combineSignals(given: readonly (AbortSignal | undefined)[]): CombinedSignal {
  const signals = given.filter((signal) => signal !== undefined);
  const controller = new AbortController();
  const abort = (): void => controller.abort(signals.find(({ aborted }) => aborted)?.reason);
  if (signals.some(({ aborted }) => aborted)) abort();
  setMaxListeners(0, ...signals);
  for (const signal of signals) signal.addEventListener("abort", abort, { once: true });
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      for (const signal of signals) signal.removeEventListener("abort", abort);
    },
  };
}
