/** Executes a claimed run: to its end, to a cancellation, or to the moment where another invocation must go on. */

import type { Clock } from "../clock.ts";
import { AUTH_FIELDS } from "../core/auth.ts";
import type {
  Checkpointer,
  Checkpointers,
  Executed,
  ExecutionLimits,
  GraphInput,
  Outcome,
} from "../core/execution.ts";
import {
  withCheckpointer,
  withStore,
  type CompiledGraph,
  type GraphRegistry,
  type GraphStores,
} from "../core/graphs.ts";
import type { ClaimedRun, ClaimStore, Ended, EventLog, RunEnd } from "../core/ports.ts";
import type { Logger } from "../core/logger.ts";
import { INTERRUPT } from "../core/interrupts.ts";
import { isJsonObject, type RunEvent } from "../core/model.ts";
import type { Command } from "../core/run-kwargs.ts";
import { wake, wakeAnother, type WakeUpQueue } from "../core/wake-ups.ts";
import { AppError } from "../errors.ts";
import { callGraph } from "./graph.ts";
import { combineSignals } from "./combined-signal.ts";
import { contextOf } from "./context.ts";
import { configOf, withoutCheckpoint } from "./run-config.ts";
import { Journal, LeaseLost, RunCancelled } from "./journal.ts";
import { canGoOnElsewhere, interruptsOf, isCheckpointer, savedValues } from "./left-state.ts";
import { OutOfTime, watchTime } from "./invocation-time.ts";
import { observedRun, watchFirstEvent } from "./observed-run.ts";
import { isUnavailable, persist } from "./persist.ts";
import { withoutRepeats } from "./resumed.ts";
import { checkResume, leftWaiting } from "./strict-resume.ts";
import { protocolEvents, type ProtocolEvents } from "./protocol-events.ts";
import { NotSaved, stoppingAtFailure } from "./saving.ts";

export interface ExecuteDeps {
  readonly graphs: GraphRegistry;
  readonly claims: ClaimStore;
  readonly events: EventLog;
  readonly checkpointers: Checkpointers;
  readonly graphStore: GraphStores;
  readonly queue: WakeUpQueue;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly newId: () => string;
  readonly leaseMs: number;
  /** The runs that this process executes, for followers in it. */
  readonly journals: Map<string, Journal>;
  /** Aborted when this process is about to stop: what runs is handed over. */
  readonly shutdown: AbortSignal;
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
  #graph: CompiledGraph | undefined;
  #checkpointer: Checkpointer | undefined;
  #protocol: ProtocolEvents | undefined;
  #supersteps = 0;

  constructor(deps: ExecuteDeps, journal: Journal, surroundings: Surroundings) {
    this.#deps = deps;
    this.#journal = journal;
    this.#surroundings = surroundings;
    this.#context = contextOf(deps, journal.run, surroundings.context);
  }

  async perform(): Promise<Executed> {
    try {
      this.#surroundings.signal.throwIfAborted(); // cancelled while it was between two executors
      this.#protocol = await protocolEvents(this.#deps, this.#journal.run);
      for (const { event, data } of this.#protocol?.begin() ?? []) await this.#journal.write(event, data);
      const graph = await this.#load();
      this.#graph = graph;
      const outcome = await this.#call(graph);
      await this.#saved();
      return outcome.status === "drained" ? await this.#handOver() : await this.#end(graph, outcome);
    } catch (error) {
      return this.#stopped(error).catch((failure: unknown) => this.#unrecorded(failure));
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
    this.#checkpointer = await checkpointers.forRun(run, metadata, onFailure, this.#journal);
    return withCheckpointer(graph, this.#checkpointer);
  }

  /** Nothing is told as finished before it is durable. @throws NotSaved */
  async #saved(): Promise<void> {
    await this.#checkpointer?.saved?.();
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
    const isRepeated = "resume" in input && this.#protocol === undefined;
    const filter = isRepeated ? withoutRepeats(await claims.logged(run)) : undefined;
    const emits = watchFirstEvent(this.#deps.clock, run);
    return callGraph(execution, {
      event: async (event, data) => {
        emits();
        const chunk = filter === undefined ? data : filter(event, data);
        if (chunk !== undefined) await this.#journal.write(event, chunk);
      },
      superstep: () => (this.#supersteps += 1),
      reading: this.#protocol,
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

  async #end(graph: CompiledGraph, outcome: Outcome): Promise<Executed> {
    const { [INTERRUPT]: _, ...values } = isJsonObject(outcome.output) ? outcome.output : {};
    const interrupted = outcome.status === "interrupted";
    this.#protocol?.end(interrupted ? "interrupted" : "completed");
    await this.#finish({
      status: interrupted ? "interrupted" : "success",
      thread_status: interrupted ? "interrupted" : "idle",
      values: isJsonObject(outcome.output) ? values : outcome.output,
      interrupts: interrupted ? await interruptsOf(graph, this.#journal.run) : {},
    });
    return { kind: "ended", outcome };
  }

  /** What to do about the reason for which the graph stopped. */
  async #stopped(error: unknown): Promise<Executed> {
    const { shutdown } = this.#deps;
    if (error instanceof LeaseLost) return { kind: "elsewhere" };
    if (error instanceof NotSaved) return this.#failed(error.cause);
    if (error instanceof RunCancelled) return this.#cancelled(error);
    // A host that stops, or that cuts an invocation short, is no client that has left, though it aborts the same signal.
    if (error instanceof OutOfTime || shutdown.aborted || isUnavailable(error)) return this.#handOver();
    if (this.#surroundings.signal.aborted) return this.#cancelled();
    return this.#failed(error);
  }

  async #cancelled(reason?: RunCancelled): Promise<Executed> {
    this.#protocol?.end("interrupted");
    if (reason?.action === "rollback") return this.#rollback();
    const saved_values = await this.#savedValues();
    await this.#finish({ status: "interrupted", thread_status: "interrupted", saved_values });
    return { kind: "cancelled" };
  }

  async #failed(error: unknown): Promise<Executed> {
    const known =
      error instanceof AppError ? error : new AppError("internal", "Internal error", { cause: error });
    if (known.code === "invalid_request") await this.#checkpointer?.discard?.();
    if (isUnavailable(known)) return this.#handOver();
    const shown = this.#logged(known);
    await this.#journal.write("error", { error: shown.code, message: shown.message });
    const saved_values = await this.#savedValues();
    this.#protocol?.end("failed", shown.message);
    const interrupts =
      known.code === "UnknownInterruptError" && this.#graph !== undefined
        ? await interruptsOf(this.#graph, this.#journal.run)
        : undefined;
    const thread_status = interrupts === undefined ? "error" : leftWaiting(interrupts);
    await this.#finish({ status: "error", thread_status, error: shown.message, saved_values, interrupts });
    return { kind: "failed", error: shown };
  }

  async #savedValues(): Promise<unknown> {
    return this.#graph === undefined ? undefined : savedValues(this.#graph, this.#journal.run);
  }

  /** What clients may see of an error; the rest goes to the log, under an id that they are given. */
  #logged(error: AppError): AppError {
    if (error.status < 500) return error;
    const { run_id, thread_id, graph_id } = this.#journal.run;
    const errorId = this.#deps.newId();
    this.#deps.logger.error(
      {
        error_id: errorId,
        run_id,
        thread_id,
        graph_id,
        code: error.code,
        reason: error.message,
        err: error.cause ?? error,
      },
      "A run failed",
    );
    return new AppError(error.code, `${error.message} (error id ${errorId})`, { cause: error, errorId });
  }

  async #finish(end: RunEnd): Promise<void> {
    await this.#leave(async (now, events) => this.#deps.claims.finish(this.#journal.run, end, now, events));
  }

  async #rollback(): Promise<Executed> {
    await this.#leave(async (now, events) => this.#deps.claims.rollback(this.#journal.run, now, events));
    return { kind: "cancelled" };
  }

  /** Records the end, and wakes the run of the thread that waits next. @throws LeaseLost */
  async #leave(record: (now: Date, events: readonly RunEvent[]) => Promise<Ended>): Promise<void> {
    const { clock } = this.#deps;
    await this.#checkpointer?.saved?.();
    const rest = await this.#journal.takeRest(this.#protocol?.last);
    const { held, next } = await persist(this.#deps, async () => record(clock.now(), rest));
    if (!held) throw new LeaseLost("The run was taken over by another executor");
    if (next !== undefined) await wakeAnother(this.#deps, { run_id: next });
    const { run_id, kwargs } = this.#journal.run;
    if (kwargs.webhook !== undefined) await wake(this.#deps, { webhook_id: run_id });
  }

  /** Puts the run back, for an invocation that has time. */
  async #handOver(): Promise<Executed> {
    const { claims, clock } = this.#deps;
    const { run } = this.#journal;
    await this.#checkpointer?.saved?.();
    const events = await this.#journal.takeRest();
    const { held } = await persist(this.#deps, async () =>
      claims.release(run, clock.now(), { events, gotAnywhere: this.#supersteps > 0 }),
    );
    if (held) await wake(this.#deps, { run_id: run.run_id });
    return { kind: "elsewhere", isHandedOver: held };
  }

  /** The lease will lapse, and another executor goes on from what was saved. */
  #unrecorded(failure: unknown): Executed {
    const { run_id, thread_id } = this.#journal.run;
    if (!(failure instanceof LeaseLost))
      this.#deps.logger.error({ run_id, thread_id, err: failure }, "A run could not be recorded");
    return { kind: "elsewhere" };
  }
}
