/**
 * The checkpointer that graphs get: tables and serialisation of LangGraph's PostgresSaver, a fraction of its round
 * trips. Import it lazily: it loads LangChain.
 */

import { randomInt } from "node:crypto";
import type { RunnableConfig } from "@langchain/core/runnables";
import type {
  ChannelVersions,
  Checkpoint,
  CheckpointListOptions,
  CheckpointMetadata,
  CheckpointTuple,
  PendingWrite,
} from "@langchain/langgraph-checkpoint";
import { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres";
import sql, { type Sql } from "sql-template-tag";
import type { Unlogged } from "../core/execution.ts";
import type { RunEvent } from "../core/model.ts";
import { AppError } from "../errors.ts";
import { inSpan } from "../telemetry.ts";
import { CheckpointBatch, type HeldRun } from "./checkpoint-batch.ts";
import { CheckpointWriter } from "./checkpoint-writer.ts";
import type { Database } from "./pool.ts";
import { sealEvents } from "./sealed.ts";
import { openingPool, sealBlob, sealWrite } from "./sealed-checkpoints.ts";
import { rows, translate } from "./sql.ts";

/** What may wait to be written before the graph waits, too. */
const WAITING_BYTES = 8_388_608;

export interface SavingOptions {
  /** What saves for other runs, too; by default one of its own. */
  readonly writer?: CheckpointWriter;
  /** Nothing has been saved for the thread before. */
  readonly isFresh?: boolean;
  /**
   * Told of the first write that failed. No write rejects then, and none is made after it: LangGraph looks at what
   * became of its writes at the end of a run only, and an unhandled rejection would end the process.
   */
  readonly onFailure?: (reason: unknown) => void;
  /** Goes with what is saved. */
  readonly unlogged?: Unlogged;
  /**
   * Whether a `put` or `putWrites` resolves as soon as it is on its way, unless the database is far behind; `saved`
   * tells when it is there.
   */
  readonly isAsync?: boolean;
}

/**
 * One for each run. What LangGraph saves in the same moment, or while the last statement is still under way, goes in
 * one statement; each `put` and `putWrites` resolves when its statement has committed, unless `isAsync`. With a lease,
 * nothing is written once the lease is no longer ours.
 * @throws AppError `unavailable` when the database cannot be reached, or the lease is lost
 */
export class Checkpointer extends PostgresSaver {
  readonly #database: Database;
  readonly #writer: CheckpointWriter;
  readonly #lease: HeldRun | undefined;
  readonly #metadata: object;
  readonly #options: SavingOptions;
  /** What this run has saved, for `discard`. */
  readonly #checkpoints: string[] = [];
  readonly #writes: { readonly checkpoint_id: string; readonly task_id: string }[] = [];
  #thread: string | undefined;
  #gathering: { readonly batch: CheckpointBatch; readonly written: Promise<void> } | undefined;
  #lastWrite: Promise<void> = Promise.resolve();
  #hasFailed = false;
  #isClosed = false;

  /** `metadata` is kept with each checkpoint: LangGraph.js itself leaves out what the run's config has. */
  constructor(database: Database, lease?: HeldRun, metadata: object = {}, options: SavingOptions = {}) {
    super(openingPool(database));
    this.#database = database;
    this.#writer = options.writer ?? new CheckpointWriter(database);
    this.#lease = lease;
    this.#metadata = metadata;
    this.#options = options;
  }

  /**
   * Values are stored by their version, so two forks of one checkpoint must not count on to the same: the fraction is
   * by chance. The stock saver counts on from it as from a whole number.
   */
  override getNextVersion(current: number | undefined): number {
    return Math.floor(super.getNextVersion(current)) + randomInt(1, FRACTIONS) / FRACTIONS;
  }

  override async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    if (this.#options.isFresh === true && this.#thread === undefined) return undefined;
    await this.saved();
    return super.getTuple(config).catch(unreadable);
  }

  override async *list(
    config: RunnableConfig,
    options?: CheckpointListOptions,
  ): AsyncGenerator<CheckpointTuple> {
    await this.saved();
    try {
      yield* super.list(config, options);
    } catch (error) {
      throw translate(error);
    }
  }

  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    if (config.configurable === undefined) throw new Error('Missing "configurable" field in "config" param');
    const { thread_id, checkpoint_ns = "", checkpoint_id: parent } = ids(config);
    const blobs = await this._dumpBlobs(thread_id, checkpoint_ns, checkpoint.channel_values, newVersions);
    const plainMetadata: unknown = await this._dumpMetadata({ ...this.#metadata, ...metadata });
    this.#thread = thread_id;
    this.#checkpoints.push(checkpoint.id);
    const body = JSON.stringify(this._dumpCheckpoint(checkpoint));
    const { cipher } = this.#database;
    await this.#write((batch) => {
      batch.addBlobs(blobs.map((row) => sealBlob(cipher, row)));
      batch.addCheckpoint([
        thread_id,
        checkpoint_ns,
        checkpoint.id,
        parent,
        body,
        JSON.stringify(plainMetadata),
      ]);
    });
    return { configurable: { thread_id, checkpoint_ns, checkpoint_id: checkpoint.id } };
  }

  override async putWrites(config: RunnableConfig, writes: PendingWrite[], taskId: string): Promise<void> {
    const { thread_id, checkpoint_ns = "", checkpoint_id } = ids(config);
    if (checkpoint_id === undefined) throw new TypeError("Writes need configurable.checkpoint_id");
    this.#thread = thread_id;
    this.#writes.push({ checkpoint_id, task_id: taskId });
    const dumped = await this._dumpWrites(thread_id, checkpoint_ns, checkpoint_id, taskId, writes);
    const { cipher } = this.#database;
    await this.#write((batch) => batch.addWrites(dumped.map((row) => sealWrite(cipher, row))));
  }

  async discard(): Promise<void> {
    const thread_id = this.#thread;
    if (thread_id === undefined) return;
    await this.saved();
    await rows(
      this.#database,
      sql`
      with fence as materialized (${this.#fence()}), write as (
        delete from public.checkpoint_writes w using unnest(
          ${this.#writes.map((write) => write.checkpoint_id)}::text[], ${this.#writes.map((write) => write.task_id)}::text[]
        ) as written (checkpoint_id, task_id)
        where w.thread_id = ${thread_id} and w.checkpoint_id = written.checkpoint_id and w.task_id = written.task_id
          and exists (select from fence)
      )
      delete from public.checkpoints
      where thread_id = ${thread_id} and checkpoint_id = any(${this.#checkpoints}::text[]) and exists (select from fence)`,
    );
  }

  override async deleteThread(threadId: string): Promise<void> {
    await this.saved();
    await rows(
      this.#database,
      sql`
      with blobs as (delete from public.checkpoint_blobs where thread_id = ${threadId}),
        writes as (delete from public.checkpoint_writes where thread_id = ${threadId})
      delete from public.checkpoints where thread_id = ${threadId}`,
    );
  }

  /** Resolves when what was written before is in the database, or has failed: that is told to its writer, not to readers. */
  async saved(): Promise<void> {
    await this.#lastWrite.catch(() => undefined);
  }

  /**
   * As `saved`, for the end of the run: what a stopped graph puts later is not written. It could be under way while the
   * run's temporary thread is removed, and would be left behind.
   */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.saved();
  }

  /** Adds to the batch that goes next; it goes when the event loop has turned and the one before it has arrived. */
  async #write(add: (batch: CheckpointBatch) => void): Promise<void> {
    if (this.#isClosed || (this.#hasFailed && this.#options.onFailure !== undefined)) return;
    if (this.#gathering === undefined) {
      const batch = new CheckpointBatch(this.#lease);
      const written = this.#send(batch, this.#lastWrite);
      this.#gathering = { batch, written };
      this.#lastWrite = written;
    }
    const { batch, written } = this.#gathering;
    add(batch);
    if (this.#options.isAsync !== true || batch.bytes > WAITING_BYTES) await written;
  }

  async #send(batch: CheckpointBatch, previous: Promise<void>): Promise<void> {
    const { onFailure, unlogged } = this.#options;
    using _hold = unlogged?.hold();
    let events: readonly RunEvent[] = [];
    try {
      await previous;
      if (this.#hasFailed && onFailure !== undefined) return;
      await inSpan("checkpoint write", {}, async (span) =>
        this.#writer.write(batch, () => {
          this.#gathering = undefined;
          events = unlogged?.pending() ?? [];
          batch.addEvents(this.#sealed(events));
          span.set({ "langgraph.bytes": batch.bytes });
        }),
      );
      unlogged?.logged(events);
    } catch (error) {
      if (onFailure === undefined) throw error;
      this.#hasFailed = true;
      onFailure(error);
    }
  }

  #sealed(events: readonly RunEvent[]): readonly RunEvent[] {
    return this.#lease === undefined ? [] : sealEvents(this.#database.cipher, this.#lease, events);
  }

  /** A row while the lease is ours; its lock keeps a takeover waiting until the statement has committed. */
  #fence(): Sql {
    if (this.#lease === undefined) return sql`select true as held`;
    const { run_id, lease_id } = this.#lease;
    return sql`select true as held from langgraph.runs where run_id = ${run_id} and lease_id = ${lease_id} for share`;
  }
}

/** Of so many, two branches of a thread hardly ever get the same; a version stays within what a number keeps exactly. */
const FRACTIONS = 2 ** 32;

interface CheckpointIds {
  readonly thread_id: string;
  readonly checkpoint_ns?: string;
  readonly checkpoint_id?: string;
}

function ids({ configurable = {} }: RunnableConfig): CheckpointIds {
  const { thread_id, checkpoint_ns, checkpoint_id }: Record<string, unknown> = configurable;
  if (typeof thread_id !== "string") throw new TypeError("A checkpoint needs configurable.thread_id");
  return {
    thread_id,
    ...(typeof checkpoint_ns === "string" ? { checkpoint_ns } : {}),
    ...(typeof checkpoint_id === "string" ? { checkpoint_id } : {}),
  };
}

/** It is no fault of the input that the thread's state is another program's, or that its key is missing. */
function unreadable(error: unknown): never {
  const known = translate(error);
  if (known instanceof AppError) throw known;
  throw new AppError("internal", "The thread's state cannot be read", { cause: error });
}
