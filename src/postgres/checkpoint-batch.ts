/** What is written to the checkpoint tables in one statement: of one run, or of several that this process executes. */

import sql, { type Sql } from "sql-template-tag";
import type { ClaimedRun } from "../core/ports.ts";
import type { RunEvent } from "../core/model.ts";

type CheckpointRow = readonly [
  thread_id: string,
  checkpoint_ns: string,
  checkpoint_id: string,
  parent_checkpoint_id: string | undefined,
  checkpoint: string,
  metadata: string,
];
export type BlobRow = readonly [
  thread_id: string,
  checkpoint_ns: string,
  channel: string,
  version: string,
  type: string,
  blob: Uint8Array | undefined,
];
export type WriteRow = readonly [
  thread_id: string,
  checkpoint_ns: string,
  checkpoint_id: string,
  task_id: string,
  idx: number,
  channel: string,
  type: string,
  blob: Uint8Array,
];

type EventRow = readonly [thread_id: string, seq: number, run_id: string, event: string, data: string];

/** A run in our hands, which the thread's checkpoints are saved for. */
export type HeldRun = Pick<ClaimedRun, "run_id" | "lease_id" | "thread_id" | "attempt">;

/** Gathers rows; of two with one key only that is kept which the database would end up with. */
export class CheckpointBatch {
  /** Without one, the rows are written in any case. */
  readonly lease: HeldRun | undefined;
  readonly #checkpoints = new Map<string, CheckpointRow>();
  readonly #blobs = new Map<string, BlobRow>();
  readonly #writes = new Map<string, WriteRow>();
  #events: readonly EventRow[] = [];
  #bytes = 0;

  constructor(lease?: HeldRun) {
    this.lease = lease;
  }

  addCheckpoint(row: CheckpointRow): void {
    this.#bytes += row[4].length;
    this.#checkpoints.set(JSON.stringify(row.slice(0, 3)), row);
  }

  /** A version of a channel never changes, so the first one stays. */
  addBlobs(blobs: readonly BlobRow[]): void {
    for (const row of blobs) {
      this.#bytes += row[5]?.length ?? 0;
      addFirst(this.#blobs, JSON.stringify(row.slice(0, 4)), row);
    }
  }

  /** A task's writes stay as they were first written; its marks (error, interrupt, resume: negative indexes) are replaced. */
  addWrites(writes: readonly WriteRow[]): void {
    for (const row of writes) {
      this.#bytes += row[7].length;
      const key = JSON.stringify(row.slice(0, 5));
      if (row[4] < 0) this.#writes.set(key, row);
      else addFirst(this.#writes, key, row);
    }
  }

  /** What the run has streamed until now. */
  addEvents(events: readonly RunEvent[]): void {
    const { lease } = this;
    if (lease === undefined) return;
    this.#events = events.map(({ seq, event, data }) => [lease.thread_id, seq, lease.run_id, event, data]);
  }

  get events(): readonly EventRow[] {
    return this.#events;
  }

  /** A new checkpoint shows that the run has got further than the executors that vanished before. */
  get isProgress(): boolean {
    return this.#checkpoints.size > 0 && (this.lease?.attempt ?? 0) > 1;
  }

  get checkpoints(): readonly CheckpointRow[] {
    return [...this.#checkpoints.values()];
  }

  get blobs(): readonly BlobRow[] {
    return [...this.#blobs.values()];
  }

  get writes(): readonly WriteRow[] {
    return [...this.#writes.values()];
  }

  /** About, of what was added. */
  get bytes(): number {
    return this.#bytes;
  }
}

/**
 * Writes each batch whose lease holds, and answers `batch`, its number, for those. Either all have leases, or there is
 * only one. The rows of the runs stay locked until the statement has committed, so that a takeover waits for it.
 */
export function writeBatches(batches: readonly CheckpointBatch[]): Sql {
  const parts = [sql`with fence as materialized (${fence(batches)})`];
  const blobs = numbered(batches, (batch) => batch.blobs);
  const writes = numbered(batches, (batch) => batch.writes);
  const checkpoints = numbered(batches, (batch) => batch.checkpoints);
  if (blobs.length > 0) parts.push(insertBlobs(blobs));
  if (writes.length > 0) parts.push(insertWrites(writes));
  const events = numbered(batches, (batch) => batch.events);
  if (checkpoints.length > 0) parts.push(insertCheckpoints(checkpoints));
  if (events.length > 0) parts.push(insertEvents(events));
  const progress = batches.flatMap(({ isProgress, lease }) =>
    isProgress && lease !== undefined ? [lease] : [],
  );
  if (progress.length > 0) parts.push(noteProgress(progress));
  return sql`${joined(parts)} select batch from fence`;
}

/** In the order in which cancellations lock runs, too. */
function fence(batches: readonly CheckpointBatch[]): Sql {
  const leases = batches.flatMap(({ lease }) => (lease === undefined ? [] : [lease]));
  if (leases.length === 0) return sql`select 0 as batch`;
  const [only] = leases;
  if (leases.length === 1 && only !== undefined) {
    return sql`select 0 as batch from langgraph.runs
      where run_id = ${only.run_id} and lease_id = ${only.lease_id} for share`;
  }
  return sql`
    select held.batch from unnest(${leases.map((_, batch) => batch)}::int[],
      ${leases.map(({ run_id }) => run_id)}::uuid[], ${leases.map(({ lease_id }) => lease_id)}::uuid[]
    ) as held (batch, run_id, lease_id)
    join langgraph.runs r on r.run_id = held.run_id and r.lease_id = held.lease_id
    order by r.position for share of r`;
}

function numbered<Row>(
  batches: readonly CheckpointBatch[],
  rows: (batch: CheckpointBatch) => readonly Row[],
): readonly { readonly batch: number; readonly row: Row }[] {
  return batches.flatMap((batch, index) => rows(batch).map((row) => ({ batch: index, row })));
}

function addFirst<Row>(map: Map<string, Row>, key: string, row: Row): void {
  if (!map.has(key)) map.set(key, row);
}

function joined(parts: readonly Sql[]): Sql {
  return parts.reduce((all, part) => sql`${all}, ${part}`);
}

type Numbered<Row> = readonly { readonly batch: number; readonly row: Row }[];

function column<Row extends readonly unknown[], Index extends keyof Row>(
  rows: Numbered<Row>,
  index: Index,
): Row[Index][] {
  return rows.map(({ row }) => row[index]);
}

function batchOf(rows: Numbered<unknown>): number[] {
  return rows.map(({ batch }) => batch);
}

function insertBlobs(rows: Numbered<BlobRow>): Sql {
  return sql`blobs as (
    insert into public.checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
    select thread_id, checkpoint_ns, channel, version, type, blob from unnest(
      ${column(rows, 0)}::text[], ${column(rows, 1)}::text[], ${column(rows, 2)}::text[],
      ${column(rows, 3)}::text[], ${column(rows, 4)}::text[], ${column(rows, 5)}::bytea[], ${batchOf(rows)}::int[]
    ) as saved (thread_id, checkpoint_ns, channel, version, type, blob, batch)
    where batch in (select batch from fence)
    on conflict (thread_id, checkpoint_ns, channel, version) do nothing)`;
}

function insertWrites(rows: Numbered<WriteRow>): Sql {
  return sql`writes as (
    insert into public.checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, blob)
    select thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, blob from unnest(
      ${column(rows, 0)}::text[], ${column(rows, 1)}::text[], ${column(rows, 2)}::text[], ${column(rows, 3)}::text[],
      ${column(rows, 4)}::int[], ${column(rows, 5)}::text[], ${column(rows, 6)}::text[], ${column(rows, 7)}::bytea[],
      ${batchOf(rows)}::int[]
    ) as saved (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, blob, batch)
    where batch in (select batch from fence)
    on conflict (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) do update
    set channel = excluded.channel, type = excluded.type, blob = excluded.blob
    where excluded.idx < 0)`;
}

function insertCheckpoints(rows: Numbered<CheckpointRow>): Sql {
  return sql`saved as (
    insert into public.checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata)
    select thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata from unnest(
      ${column(rows, 0)}::text[], ${column(rows, 1)}::text[], ${column(rows, 2)}::text[],
      ${column(rows, 3)}::text[], ${column(rows, 4)}::jsonb[], ${column(rows, 5)}::jsonb[], ${batchOf(rows)}::int[]
    ) as saved (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata, batch)
    where batch in (select batch from fence)
    on conflict (thread_id, checkpoint_ns, checkpoint_id) do update
    set checkpoint = excluded.checkpoint, metadata = excluded.metadata)`;
}

/** Heartbeats log the same events, whichever comes first. */
function insertEvents(rows: Numbered<EventRow>): Sql {
  return sql`logged as (
    insert into langgraph.events (thread_id, seq, run_id, event, data, created_at)
    select thread_id, seq, run_id, event, data, now() from unnest(
      ${column(rows, 0)}::text[], ${column(rows, 1)}::bigint[], ${column(rows, 2)}::uuid[],
      ${column(rows, 3)}::text[], ${column(rows, 4)}::text[], ${batchOf(rows)}::int[]
    ) as logged (thread_id, seq, run_id, event, data, batch)
    where batch in (select batch from fence)
    on conflict do nothing)`;
}

/** The claim that got here counts as the first. */
function noteProgress(leases: readonly HeldRun[]): Sql {
  return sql`progress as (
    update langgraph.runs r set attempt = 1
    from unnest(${leases.map(({ run_id }) => run_id)}::uuid[], ${leases.map(({ lease_id }) => lease_id)}::uuid[]) as held (run_id, lease_id)
    where r.run_id = held.run_id and r.lease_id = held.lease_id and r.attempt > 1)`;
}
