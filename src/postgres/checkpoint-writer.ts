/** Sends what runs save: that of several runs which this process executes goes together, in one statement. */

import { AppError } from "../errors.ts";
import { writeBatches, type CheckpointBatch } from "./checkpoint-batch.ts";
import { rows, type Db } from "./sql.ts";

/** Statements under way at once; what comes meanwhile goes with the next one. */
const STATEMENTS = 2;
/** What goes in one statement; more only when a single batch has more. */
const BYTES = 1_048_576;
const BATCHES = 50;

interface Waiting {
  readonly batch: CheckpointBatch;
  readonly taken: () => void;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

export class CheckpointWriter {
  readonly #db: Db;
  readonly #waiting: Waiting[] = [];
  #underWay = 0;

  constructor(db: Db) {
    this.#db = db;
  }

  /**
   * Resolves when the batch is in the database. Until `taken` is called, more may be added to it.
   * @throws AppError `unavailable` when its lease is lost
   */
  async write(batch: CheckpointBatch, taken: () => void): Promise<void> {
    const written = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ batch, taken, resolve, reject });
    });
    setImmediate(() => void this.#proceed()); // what is saved in the same moment goes along
    await written;
  }

  async #proceed(): Promise<void> {
    if (this.#waiting.length === 0 || this.#underWay >= STATEMENTS) return;
    this.#underWay += 1;
    const going = this.#take();
    for (const { taken } of going) taken();
    await this.#send(going);
    this.#underWay -= 1;
    await this.#proceed();
  }

  #take(): readonly Waiting[] {
    let bytes = 0;
    const end = this.#waiting.findIndex(({ batch }, index) => {
      bytes += batch.bytes;
      const isAlone = batch.lease === undefined || this.#waiting[0]?.batch.lease === undefined;
      return index > 0 && (isAlone || bytes > BYTES || index >= BATCHES);
    });
    return this.#waiting.splice(0, end < 0 ? this.#waiting.length : end);
  }

  /** Never rejects. What one run cannot save does not keep others from saving theirs. */
  async #send(going: readonly Waiting[]): Promise<void> {
    try {
      const held = await rows<{ batch: number }>(this.#db, writeBatches(going.map(({ batch }) => batch)));
      const numbers = new Set(held.map(({ batch }) => batch));
      for (const [number, { resolve, reject }] of going.entries()) {
        if (numbers.has(number)) resolve();
        else reject(new AppError("unavailable", "The run was taken over by another instance"));
      }
    } catch (error) {
      const isAway = error instanceof AppError && error.code === "unavailable";
      if (going.length > 1 && !isAway) for (const one of going) await this.#send([one]);
      else for (const { reject } of going) reject(error);
    }
  }
}
