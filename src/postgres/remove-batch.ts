/** The SQL of removing what has expired, a batch at a time. */

import sql, { type Sql } from "sql-template-tag";
import { rows, type Db } from "./sql.ts";

interface Batch {
  readonly where: Sql;
  /** The first of them go first: what the index is ordered by. */
  readonly order: Sql;
  readonly limit: number;
}

/**
 * Removes rows of `table`, which may have an alias, and none that somebody else is at. They are found once, and by their
 * place: a join with them could look for them again for each row, or read the whole table.
 * @returns how many
 */
export async function removeBatch(db: Db, table: Sql, { where, order, limit }: Batch): Promise<number> {
  const removed = await rows(
    db,
    sql`
    delete from ${table} where ctid = any(array(
      select ctid from ${table} where ${where} order by ${order} limit ${limit} for update skip locked
    )) returning 1`,
  );
  return removed.length;
}
