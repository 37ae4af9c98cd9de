/** Executes a claimed run: to its end, to a cancellation, or to the moment where another invocation must go on. */

import { AUTH_FIELDS } from "../core/auth.ts";
import type { Checkpointers, Executed, ExecutionLimits, GraphInput, Outcome } from "../core/execution.ts";
import {
  withCheckpointer,
  withStore,
  type CompiledGraph,
  type GraphRegistry,
  type GraphStores,
} from "../core/graphs.ts";
import type { ClaimedRun, EventLog } from "../core/ports.ts";
import type { Command } from "../core/run-kwargs.ts";
import { callGraph } from "./graph.ts";
import { combineSignals } from "./combined-signal.ts";
import { contextOf } from "./context.ts";
import { configOf, withoutCheckpoint } from "./run-config.ts";
import { Journal } from "./journal.ts";
import { canGoOnElsewhere, isCheckpointer } from "./left-state.ts";
import { watchTime } from "./invocation-time.ts";
import { observedRun, watchFirstEvent } from "./observed-run.ts";
import { withoutRepeats } from "./resumed.ts";
import { RunEnding, type EndDeps, type Progress } from "./run-end.ts";
import { checkResume } from "./strict-resume.ts";
import { protocolEvents } from "./protocol-events.ts";
import { NotSaved, stoppingAtFailure } from "./saving.ts";

export interface ExecuteDeps extends EndDeps {
  readonly graphs: GraphRegistry;
  readonly events: EventLog;
  readonly checkpointers: Checkpointers;
  readonly graphStore: GraphStores;
  readonly leaseMs: number;
  /** The runs that this process executes, for followers in it. */
  readonly journals: Map<string, Journal>;
}

/** Never rejects: what happens is recorded. */
export async function executeRun(
  deps: ExecuteDeps,
  run: ClaimedRun,
  limits: ExecutionLimits,
): Promise<Executed> {
  const journal = new Journal(deps, run);
  deps.journals.set(run.run_id, journal);
  using time = watchTime(deps.clock, limits.deadline);
  using whole = combineSignals([journal.signal, time.up, deps.shutdown, limits.signal]);
  using early = combineSignals([time.short, limits.handOver]);
  const execution = new RunExecution(deps, journal, {
    signal: whole.signal,
    drain: time.short,
    handOver: early.signal,
    context: limits.context,
  });
  const executed = await observedRun(run, async () => execution.perform());
  if (deps.journals.get(run.run_id) === journal) deps.journals.delete(run.run_id); // it may be ours anew
  journal.close({ isFinal: executed.kind !== "elsewhere" });
  return executed;
}

interface Surroundings {
  readonly signal: AbortSignal;
  /** Aborts when the time is short. */
  readonly drain: AbortSignal;
  /** Then, too, or before that, if nothing gets lost on the way to another invocation. */
  readonly handOver: AbortSignal;
  readonly context: unknown;
}

/** One claim of a run, from its graph to its record. */
class RunExecution {
  readonly #deps: ExecuteDeps;
  readonly #journal: Journal;
  readonly #surroundings: Surroundings;
  readonly #context: unknown;
  readonly #progress: Progress = { supersteps: 0 };
  readonly #ending: RunEnding;

  constructor(deps: ExecuteDeps, journal: Journal, surroundings: Surroundings) {
    this.#deps = deps;
    this.#journal = journal;
    this.#surroundings = surroundings;
    this.#context = contextOf(deps, journal.run, surroundings.context);
    this.#ending = new RunEnding(deps, journal, this.#progress, surroundings.signal);
  }

  async perform(): Promise<Executed> {
    try {
      this.#surroundings.signal.throwIfAborted(); // cancelled while it was between two executors
      this.#progress.protocol = await protocolEvents(this.#deps, this.#journal.run);
      for (const { event, data } of this.#progress.protocol?.begin() ?? [])
        await this.#journal.write(event, data);
      const graph = await this.#load();
      this.#progress.graph = graph;
      const outcome = await this.#call(graph);
      await this.#saved();
      return outcome.status === "drained"
        ? await this.#ending.handOver()
        : await this.#ending.end(graph, outcome);
    } catch (error) {
      return this.#ending.stopped(error).catch((failure: unknown) => this.#ending.unrecorded(failure));
    }
  }

  async #load(): Promise<CompiledGraph> {
    const { graphs, checkpointers } = this.#deps;
    const { run } = this.#journal;
    const loaded = await graphs.get(run.graph_id).load(configOf(this.#journal.run), {
      accessContext: "threads.create_run",
      executionRuntime: { context: this.#context },
    });
    const graph = withStore(loaded, await this.#deps.graphStore(run.kwargs.principal?.store_owner));
    const { checkpointer } = graph;
    if (checkpointer === false) return graph;
    const stop = (reason: NotSaved): void => this.#journal.stop(reason);
    if (isCheckpointer(checkpointer) && !run.is_temporary)
      return withCheckpointer(
        graph,
        stoppingAtFailure(checkpointer, stop, async () => this.#journal.flush()),
      );
    const { run_id, graph_id, assistant_id, kwargs } = run;
    const metadata = { ...kwargs.config.metadata, ...run.metadata, run_id, graph_id, assistant_id };
    const onFailure = (reason: unknown): void => stop(new NotSaved(reason));
    this.#progress.checkpointer = await checkpointers.forRun(run, metadata, onFailure, this.#journal);
    return withCheckpointer(graph, this.#progress.checkpointer);
  }

  /** Nothing is told as finished before it is durable. @throws NotSaved */
  async #saved(): Promise<void> {
    await this.#progress.checkpointer?.saved?.();
    const reason: unknown = this.#journal.signal.reason;
    if (reason instanceof NotSaved) throw reason;
  }

  async #call(graph: CompiledGraph): Promise<Outcome> {
    const { claims } = this.#deps;
    const { run } = this.#journal;
    const { kwargs } = run;
    const input = await this.#input(graph);
    const config =
      "resume" in input ? withoutCheckpoint(configOf(this.#journal.run)) : configOf(this.#journal.run);
    const { signal, drain, handOver } = this.#surroundings;
    const settings = { ...kwargs, context: this.#context };
    const execution = {
      signal,
      drain: canGoOnElsewhere(graph, kwargs) ? handOver : drain,
      graph,
      input,
      config,
      settings,
      streamModes: kwargs.stream_mode,
      hidden: [...Object.keys(kwargs.request_headers ?? {}), ...AUTH_FIELDS],
    };
    const isRepeated = "resume" in input && this.#progress.protocol === undefined;
    const filter = isRepeated ? withoutRepeats(await claims.logged(run)) : undefined;
    const emits = watchFirstEvent(this.#deps.clock, run);
    return callGraph(execution, {
      event: async (event, data) => {
        emits();
        const chunk = filter === undefined ? data : filter(event, data);
        if (chunk !== undefined) await this.#journal.write(event, chunk);
      },
      superstep: () => (this.#progress.supersteps += 1),
      reading: this.#progress.protocol,
    });
  }

  /** What a former executor has saved is gone on from; it has consumed the input or command by then. */
  async #input(graph: CompiledGraph): Promise<GraphInput> {
    const { checkpointer } = graph;
    const { run_id, thread_id, claims, kwargs } = this.#journal.run;
    if (claims > 1 && isCheckpointer(checkpointer)) {
      const newest = await checkpointer.getTuple({ configurable: { thread_id } });
      if (newest?.metadata !== undefined && "run_id" in newest.metadata && newest.metadata.run_id === run_id)
        return { resume: true };
    }
    if (kwargs.command === undefined) return { input: kwargs.input };
    if (kwargs.strict_resume === true) await checkResume(graph, configOf(this.#journal.run), kwargs.command);
    return { command: await this.#explicit(graph, kwargs.command) };
  }

  /** LangGraph overlooks answers that are false, 0, "" or null, unless they say which interrupt they are for. */
  async #explicit(graph: CompiledGraph, command: Command): Promise<Command> {
    if (command.resume === undefined || Boolean(command.resume) || !isCheckpointer(graph.checkpointer))
      return command;
    const { tasks = [] } = await graph.getState(configOf(this.#journal.run));
    const [first] = tasks.flatMap(({ interrupts = [] }) => interrupts);
    return first?.id === undefined ? command : { ...command, resume: { [first.id]: command.resume } };
  }
}
