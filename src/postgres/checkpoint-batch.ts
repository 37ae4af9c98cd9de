/** What is written to the checkpoint tables in one statement. */

import sql, { type Sql } from "sql-template-tag";

type CheckpointRow = readonly [
  thread_id: string,
  checkpoint_ns: string,
  checkpoint_id: string,
  parent_checkpoint_id: string | undefined,
  checkpoint: string,
  metadata: string,
];
type BlobRow = readonly [
  thread_id: string,
  checkpoint_ns: string,
  channel: string,
  version: string,
  type: string,
  blob: Uint8Array | undefined,
];
type WriteRow = readonly [
  thread_id: string,
  checkpoint_ns: string,
  checkpoint_id: string,
  task_id: string,
  idx: number,
  channel: string,
  type: string,
  blob: Uint8Array,
];

/** Gathers rows; of two with one key only that is kept which the database would end up with. */
export class CheckpointBatch {
  readonly #checkpoints = new Map<string, CheckpointRow>();
  readonly #blobs = new Map<string, BlobRow>();
  readonly #writes = new Map<string, WriteRow>();

  addCheckpoint(row: CheckpointRow): void {
    this.#checkpoints.set(JSON.stringify(row.slice(0, 3)), row);
  }

  /** A version of a channel never changes, so the first one stays. */
  addBlobs(blobs: readonly BlobRow[]): void {
    for (const row of blobs) addFirst(this.#blobs, JSON.stringify(row.slice(0, 4)), row);
  }

  /** A task's writes stay as they were first written; its marks (error, interrupt, resume: negative indexes) are replaced. */
  addWrites(writes: readonly WriteRow[]): void {
    for (const row of writes) {
      const key = JSON.stringify(row.slice(0, 5));
      if (row[4] < 0) this.#writes.set(key, row);
      else addFirst(this.#writes, key, row);
    }
  }

  /** Writes everything if `fence` yields a row, else nothing; answers `held`, whether it did. */
  statement(fence: Sql): Sql {
    const parts = [sql`with fence as materialized (${fence})`];
    if (this.#blobs.size > 0) parts.push(insertBlobs([...this.#blobs.values()]));
    if (this.#writes.size > 0) parts.push(insertWrites([...this.#writes.values()]));
    if (this.#checkpoints.size > 0) parts.push(insertCheckpoints([...this.#checkpoints.values()]));
    return sql`${joined(parts)} select exists (select from fence) as held`;
  }
}

function addFirst<Row>(map: Map<string, Row>, key: string, row: Row): void {
  if (!map.has(key)) map.set(key, row);
}

function joined(parts: readonly Sql[]): Sql {
  return parts.reduce((all, part) => sql`${all}, ${part}`);
}

function column<Row extends readonly unknown[], Index extends keyof Row>(
  rows: readonly Row[],
  index: Index,
): Row[Index][] {
  return rows.map((row) => row[index]);
}

function insertBlobs(rows: readonly BlobRow[]): Sql {
  return sql`blobs as (
    insert into public.checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
    select * from unnest(
      ${column(rows, 0)}::text[], ${column(rows, 1)}::text[], ${column(rows, 2)}::text[],
      ${column(rows, 3)}::text[], ${column(rows, 4)}::text[], ${column(rows, 5)}::bytea[])
    where exists (select from fence)
    on conflict (thread_id, checkpoint_ns, channel, version) do nothing)`;
}

function insertWrites(rows: readonly WriteRow[]): Sql {
  return sql`writes as (
    insert into public.checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, blob)
    select * from unnest(
      ${column(rows, 0)}::text[], ${column(rows, 1)}::text[], ${column(rows, 2)}::text[], ${column(rows, 3)}::text[],
      ${column(rows, 4)}::int[], ${column(rows, 5)}::text[], ${column(rows, 6)}::text[], ${column(rows, 7)}::bytea[])
    where exists (select from fence)
    on conflict (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) do update
    set channel = excluded.channel, type = excluded.type, blob = excluded.blob
    where excluded.idx < 0)`;
}

function insertCheckpoints(rows: readonly CheckpointRow[]): Sql {
  return sql`saved as (
    insert into public.checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata)
    select * from unnest(
      ${column(rows, 0)}::text[], ${column(rows, 1)}::text[], ${column(rows, 2)}::text[],
      ${column(rows, 3)}::text[], ${column(rows, 4)}::jsonb[], ${column(rows, 5)}::jsonb[])
    where exists (select from fence)
    on conflict (thread_id, checkpoint_ns, checkpoint_id) do update
    set checkpoint = excluded.checkpoint, metadata = excluded.metadata)`;
}
