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
import type { Lease } from "../core/ports.ts";
import { AppError } from "../errors.ts";
import { CheckpointBatch } from "./checkpoint-batch.ts";
import type { Database } from "./pool.ts";
import { rows, translate } from "./sql.ts";

/**
 * One for each run. What LangGraph saves in the same moment, or while the last statement is still under way, goes in
 * one statement; each `put` and `putWrites` resolves when its statement has committed. With a lease, nothing is
 * written once the lease is no longer ours.
 * @throws AppError `unavailable` when the database cannot be reached, or the lease is lost
 */
export class Checkpointer extends PostgresSaver {
  readonly #database: Database;
  readonly #lease: Lease | undefined;
  readonly #metadata: object;
  /** What this run has saved, for `discard`. */
  readonly #checkpoints: string[] = [];
  readonly #writes: { readonly checkpoint_id: string; readonly task_id: string }[] = [];
  #thread: string | undefined;
  #gathering: { readonly batch: CheckpointBatch; readonly written: Promise<void> } | undefined;
  #lastWrite: Promise<void> = Promise.resolve();

  /** `metadata` is kept with each checkpoint: LangGraph.js itself leaves out what the run's config has. */
  constructor(database: Database, lease?: Lease, metadata: object = {}) {
    super(database.pool);
    this.#database = database;
    this.#lease = lease;
    this.#metadata = metadata;
  }

  /**
   * Counts on, with a fraction of its own: a channel's value is stored under its version, and two branches from one
   * checkpoint must not take each other's for theirs. LangGraph for Python does the same, this one's own saver does not.
   */
  override getNextVersion(current: number | undefined): number {
    return Math.floor(current ?? 0) + 1 + randomInt(1, FRACTIONS) / FRACTIONS;
  }

  override async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    await this.#settled();
    return super.getTuple(config).catch(rethrow);
  }

  override async *list(
    config: RunnableConfig,
    options?: CheckpointListOptions,
  ): AsyncGenerator<CheckpointTuple> {
    await this.#settled();
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
    await this.#write((batch) => {
      batch.addBlobs(blobs);
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
    await this.#write((batch) => batch.addWrites(dumped));
  }

  async discard(): Promise<void> {
    const thread_id = this.#thread;
    if (thread_id === undefined) return;
    await this.#settled();
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
    await this.#settled();
    await rows(
      this.#database,
      sql`
      with blobs as (delete from public.checkpoint_blobs where thread_id = ${threadId}),
        writes as (delete from public.checkpoint_writes where thread_id = ${threadId})
      delete from public.checkpoints where thread_id = ${threadId}`,
    );
  }

  /** Adds to the batch that goes next; it goes when the event loop has turned and the one before it has arrived. */
  async #write(add: (batch: CheckpointBatch) => void): Promise<void> {
    if (this.#gathering === undefined) {
      const batch = new CheckpointBatch();
      const written = this.#send(batch, this.#lastWrite);
      this.#gathering = { batch, written };
      this.#lastWrite = written;
    }
    const { batch, written } = this.#gathering;
    add(batch);
    await written;
  }

  async #send(batch: CheckpointBatch, previous: Promise<void>): Promise<void> {
    await Promise.all([previous, new Promise((resolve) => setImmediate(resolve))]);
    this.#gathering = undefined;
    const [{ held } = { held: true }] = await rows<{ held: boolean }>(
      this.#database,
      batch.statement(this.#fence()),
    );
    if (!held) throw new AppError("unavailable", "The run was taken over by another instance");
  }

  /** True while the lease is ours; the row lock keeps a takeover waiting until this statement has committed. */
  #fence(): Sql {
    if (this.#lease === undefined) return sql`select true as held`;
    const { run_id, lease_id } = this.#lease;
    return sql`select true as held from langgraph.runs where run_id = ${run_id} and lease_id = ${lease_id} for share`;
  }

  /** Reads see what was written before them; a failed write is reported to its writer, not to readers. */
  async #settled(): Promise<void> {
    await this.#lastWrite.catch(() => undefined);
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

function rethrow(error: unknown): never {
  throw translate(error);
}
