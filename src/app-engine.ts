/** The engine of an app, with what graphs are given: where they save, and the store that they share. */

import type { Checkpointers } from "./core/execution.ts";
import type { GraphStores } from "./core/graphs.ts";
import type { Doors } from "./core/model.ts";
import type { StoreDeps } from "./core/store.ts";
import { storeOf } from "./core/store-access.ts";
import type { ThreadLog } from "./core/thread-log.ts";
import type { TickDeps } from "./core/tick.ts";
import { executeRun, type ExecuteDeps } from "./engine/execute.ts";
import { followThread, Journals } from "./engine/follow-thread.ts";
import { follow } from "./engine/follow.ts";
import { flushTraces } from "./engine/tracing.ts";
import type { ProtocolRouteDeps } from "./http/protocol.ts";
import { once } from "./once.ts";
import { eventLog } from "./postgres/events.ts";
import type { Database } from "./postgres/pool.ts";
import { threadLog } from "./postgres/thread-log.ts";
import { flushTelemetry } from "./telemetry.ts";

export interface AppEngine extends Pick<TickDeps, "engine"> {
  readonly log: ThreadLog;
  readonly followThread: ProtocolRouteDeps["followThread"];
  readonly flush: Doors["flush"];
}

export function openEngine(
  deps: Omit<ExecuteDeps, "events" | "journals"> & { readonly database: Database },
  prepare: () => void,
): AppEngine {
  let hasExecuted = false;
  const journals = new Journals();
  const events = eventLog(deps.database);
  const log = threadLog(deps.database);
  const executing = { ...deps, events, journals };
  const following = { ...deps, events, log, journals };
  return {
    engine: {
      prepare,
      execute: async (run, limits) => {
        hasExecuted = true;
        return executeRun(executing, run, limits);
      },
      follow: (run, after, signal) => follow(following, run, after, signal),
    },
    log,
    followThread: (threadId, from, signal) => followThread(following, threadId, from, signal),
    flush: async (signal) => {
      const traces = hasExecuted ? flushTraces(deps.clock, signal) : undefined;
      const [isDelivered] = await Promise.all([flushTelemetry(deps.clock, signal), traces]);
      if (!isDelivered) deps.logger.warn({}, "Traces and metrics could not be delivered in time");
    },
  };
}

/** LangChain is loaded, and the database made ready, when the first graph needs it. */
export function openCheckpointers(database: Database): Checkpointers & { readonly preload: () => void } {
  const load = once(async () => {
    const [{ Checkpointer: PostgresCheckpointer }, { CheckpointWriter }] = await Promise.all([
      import("./postgres/checkpoints.ts"),
      import("./postgres/checkpoint-writer.ts"),
      database.ready(),
    ]);
    return { PostgresCheckpointer, writer: new CheckpointWriter(database) };
  });
  return {
    preload: () => void load().catch(() => undefined), // told to whoever needs one
    forRun: async (run, metadata, onFailure, unlogged) => {
      const { PostgresCheckpointer, writer } = await load();
      const isAsync = run.kwargs.durability !== "sync";
      const options = { writer, onFailure, unlogged, isAsync, isFresh: run.is_fresh };
      return new PostgresCheckpointer(database, run, metadata, options);
    },
    forThread: async () => {
      const { PostgresCheckpointer } = await load();
      return new PostgresCheckpointer(database);
    },
  };
}

/** LangChain is loaded when the first graph needs it. */
export function graphStore(store: StoreDeps): GraphStores {
  const load = once(async () => import("./engine/store.ts"));
  return async (owner) => new (await load()).GraphStore(storeOf(store, owner ?? undefined));
}
