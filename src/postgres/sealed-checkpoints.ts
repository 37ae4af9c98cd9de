/** Values of checkpoints, sealed: the column `type` says so, behind the type that LangGraph gave the value. */

import type { Pool } from "pg";
import sql from "sql-template-tag";
import type { BlobRow, WriteRow } from "./checkpoint-batch.ts";
import { EncryptionError, MARK, type Cipher, type Place, type SealingDb } from "./encryption.ts";
import { rows } from "./sql.ts";

/** `json+aes256gcm:`, the key's id, `:`, and of a write its number. */
const SEALED_TYPE = /^(.*)\+aes256gcm:([^:]+):(-?\d*)$/s;

/** A value as it is stored, or as LangGraph knows it. */
export interface TypedValue {
  readonly type: string;
  readonly blob: Uint8Array;
}

export interface BlobKey {
  readonly thread_id: string;
  readonly checkpoint_ns: string;
  readonly channel: string;
  readonly version: string;
}

export interface WriteKey {
  readonly thread_id: string;
  readonly checkpoint_ns: string;
  readonly checkpoint_id: string;
  readonly task_id: string;
  readonly idx: number;
  readonly channel: string;
}

export function placeOfBlob({ thread_id, checkpoint_ns, channel, version }: BlobKey): Place {
  return ["checkpoint_blobs.blob", thread_id, checkpoint_ns, channel, version];
}

export function placeOfWrite({
  thread_id,
  checkpoint_ns,
  checkpoint_id,
  task_id,
  idx,
  channel,
}: WriteKey): Place {
  return ["checkpoint_writes.blob", thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel];
}

/** `number` is a write's: LangGraph's statement brings writes in their order, but not their numbers. */
export function sealTyped(
  cipher: Cipher,
  { type, blob }: TypedValue,
  place: Place,
  number: number | "" = "",
): TypedValue {
  const { keyId, bytes } = cipher.sealBytes(blob, [...place, type]);
  return keyId === "" ? { type, blob } : { type: `${type}+${MARK}${keyId}:${number}`, blob: bytes };
}

/** @throws EncryptionError */
export function openTyped(cipher: Cipher, { type: stored, blob }: TypedValue, place: Place): TypedValue {
  const [, type, keyId] = SEALED_TYPE.exec(stored) ?? [];
  if (type === undefined || keyId === undefined) return { type: stored, blob };
  return { type, blob: cipher.openBytes({ keyId, bytes: blob }, [...place, type]) };
}

export function sealBlob(cipher: Cipher, row: BlobRow): BlobRow {
  const [thread_id, checkpoint_ns, channel, version, type, blob] = row;
  if (cipher.newest === undefined || blob === undefined) return row;
  const place = placeOfBlob({ thread_id, checkpoint_ns, channel, version });
  const sealed = sealTyped(cipher, { type, blob }, place);
  return [thread_id, checkpoint_ns, channel, version, sealed.type, sealed.blob];
}

export function sealWrite(cipher: Cipher, row: WriteRow): WriteRow {
  if (cipher.newest === undefined) return row;
  const [thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, blob] = row;
  const place = placeOfWrite({ thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel });
  const sealed = sealTyped(cipher, { type, blob }, place, idx);
  return [thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, sealed.type, sealed.blob];
}

/** What LangGraph's statements find: checkpoints, or the sends of an old one's parent. */
interface FoundRow {
  readonly thread_id: string;
  readonly checkpoint_ns: string;
  readonly checkpoint_id: string;
  readonly checkpoint: { readonly channel_versions?: Readonly<Record<string, string | number>> };
  readonly channel_values?: readonly (readonly [channel: Buffer, type: Buffer, blob: Buffer | null])[] | null;
  readonly pending_writes?:
    readonly (readonly [task_id: Buffer, channel: Buffer, type: Buffer, blob: Buffer])[] | null;
  readonly pending_sends?: unknown;
}

/** The pool that LangGraph's saver reads through, with what it finds opened. */
export function openingPool({ pool, cipher }: SealingDb & { readonly pool: Pool }): Pool {
  if (cipher.newest === undefined) return pool; // the saver knows no type of a sealed value, and says so
  const query = async (text: string, values: readonly unknown[]): Promise<object> => {
    const result = await pool.query<FoundRow>(text, [...values]);
    const isOfSends = result.rows.some(({ pending_sends }) => pending_sends !== undefined);
    const found = isOfSends
      ? await readSends({ query: async (statement) => pool.query(statement), cipher }, values)
      : result.rows.map((row) => opened(cipher, row));
    return { ...result, rows: found };
  };
  return new Proxy(pool, {
    get: (target, key): unknown => (key === "query" ? query : Reflect.get(target, key)),
  });
}

function opened(cipher: Cipher, row: FoundRow): FoundRow {
  const { channel_values, pending_writes } = row;
  return {
    ...row,
    channel_values: channel_values?.map((value) => openBlob(cipher, row, value)) ?? null,
    pending_writes: pending_writes === null ? null : openWrites(cipher, row, pending_writes ?? []),
  };
}

type FoundBlob = NonNullable<FoundRow["channel_values"]>[number];
type FoundWrite = NonNullable<FoundRow["pending_writes"]>[number];

function openBlob(cipher: Cipher, row: FoundRow, found: FoundBlob): FoundBlob {
  const [name, stored, blob] = found;
  if (blob === null) return found;
  const channel = name.toString();
  const version = String(row.checkpoint.channel_versions?.[channel]);
  const place = placeOfBlob({ ...row, channel, version });
  const value = openTyped(cipher, { type: stored.toString(), blob }, place);
  return [name, Buffer.from(value.type), Buffer.from(value.blob)];
}

/** Of a task's writes, each comes after the one before it; two that have changed places do not. */
function openWrites(cipher: Cipher, row: FoundRow, found: readonly FoundWrite[]): readonly FoundWrite[] {
  const last = new Map<string, number>();
  return found.map((write) => {
    const [task, name, stored, blob] = write;
    const [, , , number] = SEALED_TYPE.exec(stored.toString()) ?? [];
    if (number === undefined) return write;
    const [task_id, channel, idx] = [task.toString(), name.toString(), Number(number)];
    const key = { ...row, task_id, idx, channel };
    const isInOrder = idx > (last.get(task_id) ?? Number.NEGATIVE_INFINITY);
    if (!isInOrder)
      throw new EncryptionError(`Writes of the task ${task_id} of ${row.thread_id} have changed places`);
    last.set(task_id, idx);
    const value = openTyped(cipher, { type: stored.toString(), blob }, placeOfWrite(key));
    return [task, name, Buffer.from(value.type), Buffer.from(value.blob)];
  });
}

const SENDS = "__pregel_tasks";

/** Old checkpoints keep what they send among their parent's writes; LangGraph's statement does not tell whose they are. */
async function readSends(db: SealingDb, [thread_id, checkpoint_ids]: readonly unknown[]): Promise<object[]> {
  const writes = await rows<WriteKey & { type: string; blob: Buffer }>(
    db,
    sql`
    select thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, blob from public.checkpoint_writes
    where thread_id = ${thread_id}::text and checkpoint_id = any(${checkpoint_ids}::text[]) and channel = ${SENDS}
    order by task_id, idx`,
  );
  const sends = new Map<string, [Buffer, Uint8Array][]>();
  for (const write of writes) {
    const { type, blob } = openTyped(db.cipher, write, placeOfWrite(write));
    const { checkpoint_id } = write;
    sends.set(checkpoint_id, [...(sends.get(checkpoint_id) ?? []), [Buffer.from(type), blob]]);
  }
  return [...sends].map(([checkpoint_id, pending_sends]) => ({ checkpoint_id, pending_sends }));
}
