/** Streams that are broken off from time to time, so that clients who are still there come back. */

import type { Clock } from "../clock.ts";
import type { Executed } from "../core/execution.ts";
import type { Graph } from "../core/graphs.ts";
import type { Invocation } from "../core/model.ts";
import { takeRun, type RunDeps } from "../core/runs.ts";
import { signDueMs, type SignDeps } from "../core/sign-of-life.ts";

/** What a stream does whose host does not see its client leave. */
export interface SignOfLife {
  readonly afterMs: number;
  /** Asks for the run to go on elsewhere: it cannot outlast the stream here. */
  readonly handOver?: () => void;
}

/** Of a stream whose run is to end with its client; undefined where the host sees it leave. A buffered one has no client yet. */
export function signOfLife(
  deps: Pick<SignDeps, "queue" | "clock"> & { readonly streaming: "live" | "buffered" },
  invocation: Invocation,
  { created_at }: { readonly created_at: Date },
  handOver?: () => void,
): SignOfLife | undefined {
  const afterMs = deps.streaming === "live" ? signDueMs(deps, invocation, created_at) : undefined;
  if (afterMs === undefined) return undefined;
  return handOver === undefined ? { afterMs } : { afterMs, handOver };
}

/**
 * Goes on with a run where its client has come back to, as a worker would have, until `handOver` aborts: they may all be
 * busy. Of this and the message for one, whichever claims the run has it. @throws AppError `unavailable`
 */
export async function goOn(
  deps: RunDeps,
  { run_id, graph }: { readonly run_id: string; readonly graph?: Graph },
  { deadline }: Invocation,
  handOver: AbortSignal,
): Promise<{ readonly executing?: Promise<Executed> }> {
  deps.engine.prepare();
  graph?.preload();
  const limits = { ...(deadline === undefined ? {} : { deadline }), handOver };
  return (await takeRun(deps, run_id, limits)) ?? {};
}

/** Aborts when the client is to come back: not before the run goes on elsewhere, and never if it ends here. */
export function signSignal(
  clock: Clock,
  sign: SignOfLife | undefined,
  executing: Promise<Executed | null> | undefined,
  over: AbortSignal,
): AbortSignal {
  const due = new AbortController();
  const wait = async ({ afterMs, handOver }: SignOfLife): Promise<void> => {
    await clock.sleep(afterMs, over);
    if (over.aborted) return;
    handOver?.();
    const executed = (await executing) ?? null;
    if (executed === null || executed.kind === "elsewhere") due.abort();
  };
  if (sign !== undefined) void wait(sign);
  return due.signal;
}
