/** Seals contents anew: all that is not under the newest key, or those of a copied thread. */

import sql, { empty, join, raw, type Sql } from "sql-template-tag";
import type { SealingDb } from "./encryption.ts";
import { COPIED, TABLES, type SealedTable, type StoredRow } from "./sealed-tables.ts";
import { rows } from "./sql.ts";

/** Rows that are read at a time, and what is written at a time. */
const PAGE = 50;
const PARCEL_BYTES = 8_388_608;
/** Rows that somebody else was writing are tried again so often. */
const PASSES = 10;

interface Page {
  readonly where: Sql;
  readonly after: StoredRow | undefined;
  /** The thread that the contents were sealed for, if it is not the row's. */
  readonly from?: string;
}

/** After the rows of a thread were copied as they are: its contents belong to the copy from now on. */
export async function resealCopy(
  transaction: SealingDb,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<void> {
  const where = sql`t.thread_id = ${to}`;
  for (const table of COPIED) {
    for (let after: StoredRow | undefined, isLast = false; !isLast;) {
      const page = await resealPage(transaction, table, { where, after, from });
      after = page.last;
      isLast = page.last === undefined;
    }
  }
}

/** How far a table has come. */
export interface Resealed {
  readonly table: string;
  /** Rows that were not under the newest key, and are now. */
  readonly count: number;
  readonly isDone: boolean;
}

/**
 * Seals everything under the newest key, table by table. It may be stopped and started again, and servers go on beside
 * it: it waits for no row that is being written, and comes back to it.
 * @throws EncryptionError for what does not open; Error when there is no key, or rows were always being written
 */
export async function resealAll(db: SealingDb, tell: (resealed: Resealed) => void): Promise<void> {
  for (const table of TABLES) {
    let count = 0;
    for (let pass = 1; ; pass += 1) {
      const { seen, changed } = await resealTable(db, table, (more) => {
        tell({ table: table.name, count: count + more, isDone: false });
      });
      count += changed;
      if (seen === changed) break;
      if (pass === PASSES)
        throw new Error(
          `${seen - changed} rows of ${table.name} were always being written; start this again`,
        );
    }
    tell({ table: table.name, count, isDone: true });
  }
}

/** How many rows of each table have something that is not sealed under the newest key. @throws Error when there is none */
export async function countUnsealed(db: SealingDb): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for (const table of TABLES) {
    const [found] = await rows<{ rows: number }>(
      db,
      sql`select count(*)::float8 as rows from ${raw(table.name)} t where ${table.isOld(newestOf(db))}`,
    );
    counts.set(table.name, found?.rows ?? 0);
  }
  return counts;
}

function newestOf({ cipher: { newest } }: SealingDb): string {
  if (newest === undefined) throw new Error("There is no key to encrypt with");
  return newest;
}

async function resealTable(
  db: SealingDb,
  table: SealedTable,
  tell: (changed: number) => void,
): Promise<{ readonly seen: number; readonly changed: number }> {
  const where = table.isOld(newestOf(db));
  let seen = 0;
  let changed = 0;
  for (let after: StoredRow | undefined; ;) {
    const page = await resealPage(db, table, { where, after });
    seen += page.seen;
    changed += page.changed;
    if (page.last === undefined) return { seen, changed };
    after = page.last;
    tell(changed);
  }
}

/** `last` is undefined when there are no more. */
async function resealPage(db: SealingDb, table: SealedTable, { where, after, from }: Page) {
  const found = await rows<StoredRow>(
    db,
    sql`
    select ${table.columns}, t.xmin::text as row_xmin from ${raw(table.name)} t
    where ${where} ${after === undefined ? empty : sql`and (${key(table, "t")}) > (${place(table, after)})`}
    order by ${key(table, "t")} limit ${PAGE}`,
  );
  if (found.length === 0) return { seen: 0, changed: 0, last: undefined };
  const resealed = found.map((row) =>
    JSON.stringify({
      ...Object.fromEntries(table.key.map(({ name }) => [name, row[name]])),
      row_xmin: row["row_xmin"],
      ...table.reseal(db.cipher, row, from),
    }),
  );
  let changed = 0;
  for (const some of parcels(resealed)) changed += (await rows(db, update(table, `[${some.join()}]`))).length;
  const last = found.length < PAGE ? undefined : found.at(-1);
  return { seen: found.length, changed, last };
}

/** No more in one than goes well in one statement. */
function parcels(texts: readonly string[]): readonly (readonly string[])[] {
  const parcels: string[][] = [];
  let room = 0;
  for (const text of texts) {
    if (text.length > room) {
      parcels.push([]);
      room = PARCEL_BYTES;
    }
    parcels.at(-1)?.push(text);
    room -= text.length;
  }
  return parcels;
}

/** Waits for nobody, so that nobody can wait for it in a circle; rows that have changed since they were read stay. */
function update(table: SealedTable, resealed: string): Sql {
  const columns = [...table.key, ...table.contents].map(
    ({ name, type }) => sql`${column(name)} ${raw(type)}`,
  );
  const set = table.contents.map(({ name, from }) => {
    return sql`${column(name)} = ${from ?? sql`target.${column(name)}`}`;
  });
  return sql`
    with target as materialized (
      select n.* from jsonb_to_recordset(${resealed}::jsonb) as n (${join(columns)}, row_xmin text)
      join ${raw(table.name)} t on (${key(table, "t")}) = (${key(table, "n")}) where t.xmin::text = n.row_xmin
      for update of t skip locked
    )
    update ${raw(table.name)} t set ${join(set)} from target
    where (${key(table, "t")}) = (${key(table, "target")}) returning 1`;
}

function key({ key }: SealedTable, alias: string): Sql {
  return join(key.map(({ name }) => sql`${raw(alias)}.${column(name)}`));
}

function place({ key }: SealedTable, row: StoredRow): Sql {
  return join(key.map(({ name, type }) => sql`${row[name]}::${raw(type)}`));
}

function column(name: string): Sql {
  return raw(`"${name}"`);
}
