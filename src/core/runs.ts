/** The rules of runs: one at a time on a thread, under a lease, executed by the invocation that received it. */

import { AppError } from "../errors.ts";
import type { Clock } from "../clock.ts";
import { withCheckpointer, type CompiledGraph, type Graph, type GraphConfig } from "./graphs.ts";
import type { Checkpointers, Engine, Lease, Outcome, RunEvent, RunInput, RunStore, StreamMode } from "./ports.ts";

/** How long a claim is good for without a sign of life. */
export const LEASE_MS = 30_000;

export interface RunDeps {
  readonly runs: RunStore;
  readonly engine: Engine;
  readonly checkpointers: Checkpointers;
  readonly clock: Clock;
  readonly newId: () => string;
  /** Aborted when this process is about to stop. */
  readonly shutdown: AbortSignal;
  /** What this process executes just now, for a shutdown to wait for. */
  readonly running: Set<Promise<unknown>>;
}

export interface RunRequest {
  readonly graph: Graph;
  readonly input: RunInput;
  readonly config: GraphConfig;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly context: unknown;
  /** Without a thread, nothing of the run is kept, and it stops when its caller goes away. */
  readonly threadId: string | undefined;
  readonly streamMode: StreamMode;
  readonly signal: AbortSignal;
}

type Emit = (event: RunEvent) => Promise<void>;

export interface AdmittedRun {
  readonly run_id: string;
  /** To be called once, and awaited to its end. @throws AppError `graph_failed`, `invalid_request`, `unavailable` */
  readonly execute: (emit: Emit) => Promise<Outcome>;
}

/**
 * Decides whether a run may start, and claims its thread if so: what can be refused is refused here, before any answer.
 * @throws AppError `thread_busy`, `unavailable`
 */
export async function admitRun(deps: RunDeps, request: RunRequest): Promise<AdmittedRun> {
  const run_id = deps.newId();
  const { threadId } = request;
  const config = runConfig(request, threadId ?? run_id);
  const loading = request.graph.load(config);
  const execute = async (graph: CompiledGraph, signal: AbortSignal, emit: Emit): Promise<Outcome> =>
    deps.engine.execute({ ...request, graph, config, signal: AbortSignal.any([signal, deps.shutdown]) }, emit);

  if (threadId === undefined) {
    const graph = forgetful(await loading, await deps.checkpointers.temporary());
    return { run_id, execute: async (emit) => tracked(deps, execute(graph, request.signal, emit)) };
  }
  loading.catch(() => undefined); // awaited under the lease; until then a failure must not count as unhandled
  const lease = await claimThread(deps, request, { run_id, threadId });
  const work = async (signal: AbortSignal, emit: Emit): Promise<Outcome> =>
    execute(await durable(deps, await loading, lease), signal, emit);
  return { run_id, execute: async (emit) => tracked(deps, underLease(deps, lease, async (signal) => work(signal, emit))) };
}

async function tracked<T>({ running }: RunDeps, execution: Promise<T>): Promise<T> {
  running.add(execution);
  try {
    return await execution;
  } finally {
    running.delete(execution);
  }
}

/** Ends the runs whose executor vanished without a word. */
export async function recoverRuns({ runs, clock }: Pick<RunDeps, "runs" | "clock">): Promise<number> {
  return runs.recover(clock.now());
}

/** The graph's defaults, then the request's config over them; ids come from us. */
function runConfig({ graph, config, metadata }: RunRequest, threadId: string): GraphConfig {
  return {
    ...graph.config,
    ...config,
    configurable: { ...graph.config?.configurable, ...config.configurable, thread_id: threadId },
    metadata: { ...graph.config?.metadata, ...config.metadata, ...metadata },
  };
}

/** A run without a thread leaves nothing behind, whatever checkpointer its graph has. */
function forgetful(graph: CompiledGraph, temporary: unknown): CompiledGraph {
  return graph.checkpointer === false ? graph : withCheckpointer(graph, temporary);
}

/** A graph that brings its own checkpointer, or refuses one, has its way. */
async function durable({ checkpointers }: RunDeps, graph: CompiledGraph, lease: Lease): Promise<CompiledGraph> {
  return graph.checkpointer === undefined ? withCheckpointer(graph, await checkpointers.forRun(lease)) : graph;
}

async function claimThread(
  { runs, clock, newId }: RunDeps,
  { graph, metadata }: RunRequest,
  { run_id, threadId }: { readonly run_id: string; readonly threadId: string },
): Promise<Lease> {
  const lease = { run_id, lease_id: newId() };
  const now = clock.now();
  await runs.begin(
    { run_id, thread_id: threadId, assistant_id: graph.name, metadata },
    { lease_id: lease.lease_id, now, until: new Date(now.getTime() + LEASE_MS) },
  );
  return lease;
}

/** Executes while the lease is renewed, and records the end, whichever it is. */
async function underLease(
  { engine, runs, clock }: RunDeps,
  lease: Lease,
  execute: (signal: AbortSignal) => Promise<Outcome>,
): Promise<Outcome> {
  using held = engine.holdLease(lease);
  try {
    const outcome = await execute(held.signal);
    await runs.finish(lease, { status: outcome.status }, clock.now());
    return outcome;
  } catch (error) {
    await runs.finish(lease, { status: "error", error: reason(error) }, clock.now());
    throw error;
  }
}

/** What the run's record says of a failure: our own words, never the graph's. */
function reason(error: unknown): string {
  return error instanceof AppError ? error.message : "The run failed";
}
