/** The one pool of an instance: few connections, no session state, so that it works through a transaction-mode pooler. */

import { Pool, type QueryResult, type QueryResultRow } from "pg";
import type { Sql } from "sql-template-tag";
import { migrate } from "./migrate.ts";
import { isUnavailable } from "./sql.ts";

export interface DatabaseSettings {
  readonly url: string;
  /** Connections at most; hundreds of instances share one database. */
  readonly poolSize: number;
  /** Whether the first use brings the schema up to date; if not, somebody else must have. */
  readonly migrate: boolean;
  /** How long a connection or a statement may take before the database counts as away; 15 s if absent. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 15_000;

/** A database that connects, and brings its schema up to date, when it is first asked something. */
export interface Database extends AsyncDisposable {
  readonly pool: Pool;
  readonly ready: () => Promise<void>;
  readonly query: <Row extends QueryResultRow>(statement: Sql) => Promise<QueryResult<Row>>;
}

export function openDatabase(settings: DatabaseSettings): Database {
  const { timeoutMs = TIMEOUT_MS } = settings;
  const pool = new Pool({
    connectionString: settings.url,
    max: settings.poolSize,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs, // here, as a session's `statement_timeout` is nothing that every pooler lets through
    keepAlive: true,
    idleTimeoutMillis: 30_000,
    allowExitOnIdle: true,
    application_name: "langgraph-functions",
  });
  pool.on("error", () => undefined); // an idle connection broke: the pool has dropped it, the next query opens another
  let migrated: Promise<unknown> | undefined = settings.migrate ? undefined : Promise.resolve();
  const ready = async (): Promise<void> => {
    migrated ??= migrate(pool).catch((error: unknown) => {
      migrated = undefined; // the database may be there the next time
      throw error;
    });
    await migrated;
  };
  return {
    pool,
    ready,
    query: async <Row extends QueryResultRow>(statement: Sql): Promise<QueryResult<Row>> => {
      await ready();
      try {
        return await pool.query<Row>(statement);
      } catch (error) {
        if (isUnavailable(error)) await dropIdle(pool);
        throw error;
      }
    },
    [Symbol.asyncDispose]: async () => pool.end(),
  };
}

/** Where one connection was dead, those that have been idle meanwhile are too: an instance was frozen, or the network is gone. */
async function dropIdle(pool: Pool): Promise<void> {
  const idle = Array.from({ length: pool.idleCount }, async () => (await pool.connect()).release(true));
  await Promise.allSettled(idle);
}
