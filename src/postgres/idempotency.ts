/** The SQL of idempotency keys. Of requests at the same instant, the statement that makes something decides. */

import sql, { empty, type Sql } from "sql-template-tag";
import { type FirstRequest, type Idempotency, KEY_LIFE_MS, RepeatedRequest } from "../core/idempotency.ts";
import { AppError } from "../errors.ts";
import { isUniqueViolation, rows, type Db } from "./sql.ts";

/**
 * A part of a `with` list that remembers what is made, for each row of the part named `made`; the whole statement fails
 * when the key is there already.
 */
export function remember(
  idempotency: Idempotency | undefined,
  now: Date,
  made: { readonly part: Sql; readonly thread_id: string; readonly run_id: string | null },
): Sql {
  if (idempotency === undefined) return empty;
  return sql`, remembered as (
    insert into langgraph.idempotency_keys (key, digest, thread_id, run_id, created_at)
    select ${idempotency.key}, ${idempotency.digest}, ${made.thread_id}, ${made.run_id}::uuid, ${now}::timestamptz from ${made.part}
  )`;
}

/**
 * Makes something whose statement remembers the key; `make` resolves to undefined where nothing could be made.
 * @throws RepeatedRequest; AppError `invalid_request` when the key was that of another request
 */
export async function makeOnce<T>(
  db: Db,
  idempotency: Idempotency | undefined,
  now: Date,
  make: () => Promise<T | undefined>,
): Promise<T | undefined> {
  if (idempotency === undefined) return make();
  for (;;) {
    try {
      const made = await make();
      if (made === undefined) await recall(db, idempotency, now);
      return made;
    } catch (error) {
      if (!isUniqueViolation(error, "idempotency_keys_pkey")) throw error;
      await recall(db, idempotency, now);
    }
  }
}

/** Resolves when the key means nothing any more. */
async function recall(db: Db, { key, digest }: Idempotency, now: Date): Promise<void> {
  const expired = new Date(now.getTime() - KEY_LIFE_MS);
  const [first] = await rows<FirstRequest & { readonly digest: string }>(
    db,
    sql`
    with expired as (delete from langgraph.idempotency_keys where key = ${key} and created_at < ${expired})
    select digest, thread_id, run_id, created_at from langgraph.idempotency_keys
    where key = ${key} and created_at >= ${expired}`,
  );
  if (first === undefined) return;
  if (first.digest !== digest)
    throw new AppError("invalid_request", "Idempotency-Key: another request has been made with this key");
  throw new RepeatedRequest(first);
}
