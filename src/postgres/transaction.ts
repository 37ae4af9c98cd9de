/** Several statements that happen as a whole or not at all, on one connection. */

import type { PoolClient, QueryResult, QueryResultRow } from "pg";
import type { Sql } from "sql-template-tag";
import type { Database } from "./pool.ts";
import { isUnavailable, translate } from "./sql.ts";

/** A process that freezes in the middle must not keep its locks: function hosts do that to instances. */
const BEGIN = "begin; set local idle_in_transaction_session_timeout = '30s'";
const DEADLOCK = "40P01";
const ATTEMPTS = 3;

/**
 * `work` gets a database that is this transaction, and refuses what it is asked later; it is done again when Postgres
 * broke a deadlock at its expense.
 */
export async function transaction<T>(
  database: Database,
  work: (transaction: Database) => Promise<T>,
): Promise<T> {
  await database.ready();
  return retryingDeadlocks(async () => attemptOnce(database, work));
}

/** Does again what Postgres broke to end a deadlock, which undid it all. */
export async function retryingDeadlocks<T>(once: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await once();
    } catch (error) {
      if (attempt === ATTEMPTS || !isDeadlock(error)) throw translate(error);
    }
  }
}

async function attemptOnce<T>(database: Database, work: (transaction: Database) => Promise<T>): Promise<T> {
  const client = await database.pool.connect();
  const ignore = (): void => undefined; // a connection that breaks between two statements: the next one tells
  client.on("error", ignore);
  let broken = false;
  const inside = onClient(database, client);
  try {
    await client.query(BEGIN);
    const result = await work(inside.database);
    inside.end();
    await client.query("commit");
    return result;
  } catch (error) {
    inside.end();
    broken =
      isUnavailable(error) ||
      (await client.query("rollback").then(
        () => false,
        () => true,
      ));
    throw error;
  } finally {
    client.off("error", ignore);
    client.release(broken);
  }
}

interface InTransaction {
  readonly database: Database;
  /** What has not been sent by now, and what is asked later, would be done on its own, or in another's transaction. */
  readonly end: () => void;
}

/** The database, with this connection in the place of its pool; what is asked at the same time is done in turn. */
function onClient({ pool, cipher }: Database, client: PoolClient): InTransaction {
  let last: Promise<unknown> = Promise.resolve();
  let isOver = false;
  const inTurn = async <T>(send: () => Promise<T>): Promise<T> => {
    const ask = async (): Promise<T> => {
      if (isOver) throw new Error("The transaction that was to do this is over");
      return send();
    };
    const result = last.then(ask, ask);
    last = result;
    return result;
  };
  const query = async (text: string, values?: unknown[]): Promise<QueryResult> =>
    inTurn(async () => client.query(text, values));
  const database: Database = {
    pool: new Proxy(pool, {
      get: (target, key): unknown => (key === "query" ? query : Reflect.get(target, key)),
    }),
    cipher,
    ready: async () => undefined,
    query: async <Row extends QueryResultRow>(statement: Sql) =>
      inTurn(async () => client.query<Row>(statement)),
    [Symbol.asyncDispose]: async () => undefined,
  };
  return { database, end: () => void (isOver = true) };
}

function isDeadlock(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === DEADLOCK;
}
