/**
 * What a run streams, as its executor keeps it: numbered, handed to followers in this process at once, and written to
 * the log in batches. The statement that writes is also the heartbeat: it extends the lease, and brings back whether
 * it still holds and whether somebody asked the run to stop.
 */

import type { Clock } from "../clock.ts";
import type { CancelAction, RunEvent } from "../core/model.ts";
import type { Unlogged } from "../core/execution.ts";
import type { ClaimedRun, ClaimStore } from "../core/ports.ts";
import type { WireEvent } from "./stream.ts";

export interface JournalDeps {
  readonly claims: ClaimStore;
  readonly clock: Clock;
  readonly leaseMs: number;
}

/** Somebody asked for the run to stop. */
export class RunCancelled extends Error {
  override readonly name = "RunCancelled";
  readonly action: CancelAction;

  constructor(action: CancelAction) {
    super(`The run was cancelled (${action})`);
    this.action = action;
  }
}

/** The run is another executor's now: whoever finds this stops and writes nothing more. */
export class LeaseLost extends Error {
  override readonly name = "LeaseLost";
}

/** Events wait this long for others to go with them. */
const BATCH_MS = 100;
/** A lease is renewed, and a wish to cancel noticed, at least this often. */
const BEAT_MS = 1_000;
/** What followers in this process find in memory; who is further behind reads the log. */
const RECENT_BYTES = 2_097_152;
/** Numbers that a vanished executor may have given to events which it could not write any more. */
const LOST_EVENTS = 10_000;
/** What may wait to be written before the graph waits too; never more than `LOST_EVENTS` either. */
const UNWRITTEN_BYTES = 1_048_576;

export class Journal implements Unlogged {
  readonly run: ClaimedRun;
  readonly #deps: JournalDeps;
  readonly #stop = new AbortController();
  readonly #followers = new Set<() => void>();
  readonly #recent: RunEvent[] = [];
  readonly #beats: Disposable;
  #recentBytes = 0;
  #unwritten: RunEvent[] = [];
  #unwrittenBytes = 0;
  #lastSeq: number;
  #validUntil: number;
  #flushing: Promise<void> | undefined;
  #isBatchWaiting = false;
  #holds = 0;
  #isEnding = false;
  #isClosed = false;
  #isFinal = false;

  constructor(deps: JournalDeps, run: ClaimedRun) {
    this.#deps = deps;
    this.run = run;
    this.#lastSeq = run.last_seq + (run.attempt > 1 ? LOST_EVENTS : 0);
    this.#validUntil = deps.clock.now().getTime() + deps.leaseMs;
    if (run.cancel_action !== null) this.#stop.abort(new RunCancelled(run.cancel_action));
    this.#beats = deps.clock.every(BEAT_MS, async () => {
      this.#checkLease();
      void this.#flush(); // not awaited: a database that never answers must not stop the check
    });
  }

  /** Aborts with `RunCancelled`, `LeaseLost`, or what `stop` was told. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Stops the run's execution here; the first reason counts. */
  stop(reason: Error): void {
    this.#stop.abort(reason);
  }

  /** Resolves at once, unless the database is far behind. */
  async write(event: string, data: unknown): Promise<void> {
    this.#lastSeq += 1;
    const entry = { seq: this.#lastSeq, event, data: JSON.stringify(data) };
    this.#unwritten.push(entry);
    this.#unwrittenBytes += entry.data.length;
    this.#remember(entry);
    this.#wakeFollowers();
    if (!this.#isBatchWaiting) void this.#flushSoon();
    while (this.#isFull && !this.#stop.signal.aborted) {
      await this.#flush();
      if (this.#isFull) await this.#deps.clock.sleep(BATCH_MS);
    }
  }

  /** The events after `seq`, as far as they are in memory; null when some of them are not. */
  since(seq: number): readonly RunEvent[] | null {
    const oldest = this.#recent[0]?.seq ?? this.#lastSeq + 1;
    return seq >= oldest - 1 ? this.#recent.slice(seq - oldest + 1) : null;
  }

  /** True once nothing more will be written here; the run may go on elsewhere. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** True once the run has ended, and the log has all of it. */
  get isFinal(): boolean {
    return this.#isFinal;
  }

  /** Calls back at each event, and at the end, until disposed. */
  onChange(wake: () => void): Disposable {
    this.#followers.add(wake);
    return { [Symbol.dispose]: () => void this.#followers.delete(wake) };
  }

  /** Who goes on after a crash repeats what was streamed since the state that was saved last. */
  hold(): Disposable {
    this.#holds += 1;
    return {
      [Symbol.dispose]: () => {
        this.#holds -= 1;
        if (this.#unwritten.length > 0 && !this.#isBatchWaiting) void this.#flushSoon();
      },
    };
  }

  /** What is not known to be in the log. */
  pending(): readonly RunEvent[] {
    return [...this.#unwritten];
  }

  logged(events: readonly RunEvent[]): void {
    const last = events.at(-1)?.seq ?? 0;
    this.#unwritten = this.#unwritten.filter(({ seq }) => seq > last);
    this.#unwrittenBytes = this.#unwritten.reduce((sum, { data }) => sum + data.length, 0);
  }

  /** Resolves when what was written until now is in the log, or the execution is stopped. */
  async flush(): Promise<void> {
    const last = this.#lastSeq;
    while ((this.#unwritten[0]?.seq ?? Infinity) <= last && !this.#stop.signal.aborted) {
      await this.#flush();
      if ((this.#unwritten[0]?.seq ?? Infinity) <= last) await this.#deps.clock.sleep(BATCH_MS);
    }
  }

  /**
   * Ends the heartbeats and gives what is still to be written, for the statement that ends the run. What comes `last`
   * tells of that end, so followers are not told before it is recorded: they find it in the log.
   */
  async takeRest(last: readonly WireEvent[] = []): Promise<readonly RunEvent[]> {
    this.#beats[Symbol.dispose]();
    this.#isEnding = true;
    await this.#flushing;
    const ending = last.map(({ event, data }, index) => ({
      seq: this.#lastSeq + 1 + index,
      event,
      data: JSON.stringify(data),
    }));
    return [...this.#unwritten, ...ending];
  }

  /** Tells followers that this was all: of the run, if `isFinal`, or of its execution here. */
  close({ isFinal }: { readonly isFinal: boolean }): void {
    this.#beats[Symbol.dispose]();
    this.#isClosed = true;
    this.#isFinal = isFinal;
    this.#wakeFollowers();
  }

  async #flushSoon(): Promise<void> {
    this.#isBatchWaiting = true;
    await this.#deps.clock.sleep(BATCH_MS);
    await this.#flushing; // it began too early for what waits
    this.#isBatchWaiting = false;
    const isFree = this.#holds === 0 && !this.#isEnding && !this.#isClosed;
    if (isFree && this.#unwritten.length > 0) await this.#flush();
  }

  async #flush(): Promise<void> {
    this.#flushing ??= this.#beat().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  /** A database that is away for some seconds is no reason to stop; a lease that has lapsed meanwhile is. */
  async #beat(): Promise<void> {
    const { clock, claims, leaseMs } = this.#deps;
    const now = clock.now();
    const until = new Date(now.getTime() + leaseMs);
    const events = this.#holds > 0 ? [] : this.pending(); // more may come while these are on their way
    try {
      const { held, cancel } = await claims.beat(this.run, { now, until }, events);
      if (!held) return this.#stop.abort(new LeaseLost("The run was taken over by another executor"));
      this.#validUntil = until.getTime();
      this.logged(events);
      if (cancel !== null) this.#stop.abort(new RunCancelled(cancel));
    } catch (error) {
      if (clock.now().getTime() < this.#validUntil) return;
      this.#stop.abort(new LeaseLost("The database could not be reached in time", { cause: error }));
    }
  }

  /** A statement without an answer must not keep us at work that another executor has taken over. */
  #checkLease(): void {
    if (this.#deps.clock.now().getTime() < this.#validUntil) return;
    this.#stop.abort(new LeaseLost("The database has not answered in time"));
  }

  get #isFull(): boolean {
    return this.#unwrittenBytes > UNWRITTEN_BYTES || this.#unwritten.length >= LOST_EVENTS;
  }

  #remember(entry: RunEvent): void {
    this.#recent.push(entry);
    this.#recentBytes += entry.data.length;
    while (this.#recentBytes > RECENT_BYTES && this.#recent.length > 1) {
      this.#recentBytes -= this.#recent.shift()?.data.length ?? 0;
    }
  }

  #wakeFollowers(): void {
    for (const wake of this.#followers) wake();
  }
}
