/** What becomes of a claimed run: its end, its failure, a cancellation or a handover, each recorded once. */

import type { Clock } from "../clock.ts";
import type { Checkpointer, Executed, Outcome } from "../core/execution.ts";
import type { CompiledGraph } from "../core/graphs.ts";
import { INTERRUPT } from "../core/interrupts.ts";
import type { Logger } from "../core/logger.ts";
import { isJsonObject, type RunEvent } from "../core/model.ts";
import type { ClaimStore, Ended, RunEnd } from "../core/ports.ts";
import { wake, wakeAnother, type WakeUpQueue } from "../core/wake-ups.ts";
import { AppError } from "../errors.ts";
import { OutOfTime } from "./invocation-time.ts";
import { LeaseLost, RunCancelled, type Journal } from "./journal.ts";
import { interruptsOf, savedValues } from "./left-state.ts";
import { isUnavailable, persist } from "./persist.ts";
import type { ProtocolEvents } from "./protocol-events.ts";
import { NotSaved } from "./saving.ts";
import { leftWaiting } from "./strict-resume.ts";

export interface EndDeps {
  readonly claims: ClaimStore;
  readonly queue: WakeUpQueue;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly newId: () => string;
  /** Aborted when this process is about to stop: what runs is handed over. */
  readonly shutdown: AbortSignal;
}

/** How far a claim of a run has come. */
export interface Progress {
  graph?: CompiledGraph;
  checkpointer?: Checkpointer;
  protocol?: ProtocolEvents | undefined;
  supersteps: number;
}

/** Records what becomes of one claim of a run. */
export class RunEnding {
  readonly #deps: EndDeps;
  readonly #journal: Journal;
  readonly #progress: Progress;
  readonly #signal: AbortSignal;

  /** `signal` is the one that stops the run. */
  constructor(deps: EndDeps, journal: Journal, progress: Progress, signal: AbortSignal) {
    this.#deps = deps;
    this.#journal = journal;
    this.#progress = progress;
    this.#signal = signal;
  }

  async end(graph: CompiledGraph, outcome: Outcome): Promise<Executed> {
    const { [INTERRUPT]: _, ...values } = isJsonObject(outcome.output) ? outcome.output : {};
    const interrupted = outcome.status === "interrupted";
    this.#progress.protocol?.end(interrupted ? "interrupted" : "completed");
    await this.#finish({
      status: interrupted ? "interrupted" : "success",
      thread_status: interrupted ? "interrupted" : "idle",
      values: isJsonObject(outcome.output) ? values : outcome.output,
      interrupts: interrupted ? await interruptsOf(graph, this.#journal.run) : {},
    });
    return { kind: "ended", outcome };
  }

  /** What to do about the reason for which the graph stopped. */
  async stopped(error: unknown): Promise<Executed> {
    const { shutdown } = this.#deps;
    if (error instanceof LeaseLost) return { kind: "elsewhere" };
    if (error instanceof NotSaved) return this.#failed(error.cause);
    if (error instanceof RunCancelled) return this.#cancelled(error);
    // A host that stops, or that cuts an invocation short, is no client that has left, though it aborts the same signal.
    if (error instanceof OutOfTime || shutdown.aborted || isUnavailable(error)) return this.handOver();
    if (this.#signal.aborted) return this.#cancelled();
    return this.#failed(error);
  }

  async #cancelled(reason?: RunCancelled): Promise<Executed> {
    this.#progress.protocol?.end("interrupted");
    if (reason?.action === "rollback") return this.#rollback();
    const saved_values = await this.#savedValues();
    await this.#finish({ status: "interrupted", thread_status: "interrupted", saved_values });
    return { kind: "cancelled" };
  }

  async #failed(error: unknown): Promise<Executed> {
    const known =
      error instanceof AppError ? error : new AppError("internal", "Internal error", { cause: error });
    if (known.code === "invalid_request") await this.#progress.checkpointer?.discard?.();
    if (isUnavailable(known)) return this.handOver();
    const shown = this.#logged(known);
    await this.#journal.write("error", { error: shown.code, message: shown.message });
    const saved_values = await this.#savedValues();
    this.#progress.protocol?.end("failed", shown.message);
    const { graph } = this.#progress;
    const interrupts =
      known.code === "UnknownInterruptError" && graph !== undefined
        ? await interruptsOf(graph, this.#journal.run)
        : undefined;
    const thread_status = interrupts === undefined ? "error" : leftWaiting(interrupts);
    await this.#finish({ status: "error", thread_status, error: shown.message, saved_values, interrupts });
    return { kind: "failed", error: shown };
  }

  async #savedValues(): Promise<unknown> {
    const { graph } = this.#progress;
    return graph === undefined ? undefined : savedValues(graph, this.#journal.run);
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
    await this.#progress.checkpointer?.close?.();
    const rest = await this.#journal.takeRest(this.#progress.protocol?.last);
    const { held, next } = await persist(this.#deps, async () => record(clock.now(), rest));
    if (!held) throw new LeaseLost("The run was taken over by another executor");
    if (next !== undefined) await wakeAnother(this.#deps, { run_id: next });
    const { run_id, kwargs } = this.#journal.run;
    if (kwargs.webhook !== undefined) await wake(this.#deps, { webhook_id: run_id });
  }

  /** Puts the run back, for an invocation that has time. */
  async handOver(): Promise<Executed> {
    const { claims, clock } = this.#deps;
    const { run } = this.#journal;
    await this.#progress.checkpointer?.close?.();
    const events = await this.#journal.takeRest();
    const { held } = await persist(this.#deps, async () =>
      claims.release(run, clock.now(), { events, gotAnywhere: this.#progress.supersteps > 0 }),
    );
    if (held) await wake(this.#deps, { run_id: run.run_id });
    return { kind: "elsewhere", isHandedOver: held };
  }

  /** The lease will lapse, and another executor goes on from what was saved. */
  unrecorded(failure: unknown): Executed {
    const { run_id, thread_id } = this.#journal.run;
    if (!(failure instanceof LeaseLost))
      this.#deps.logger.error({ run_id, thread_id, err: failure }, "A run could not be recorded");
    return { kind: "elsewhere" };
  }
}
