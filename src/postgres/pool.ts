/** The one pool of an instance: few connections, no session state, so that it works through a transaction-mode pooler. */

import { Pool, type QueryResult, type QueryResultRow } from "pg";
import type { Sql } from "sql-template-tag";
import { migrate } from "./migrate.ts";

export interface DatabaseSettings {
  readonly url: string;
  /** Connections at most; hundreds of instances share one database. */
  readonly poolSize: number;
  /** Whether the first use brings the schema up to date; if not, somebody else must have. */
  readonly migrate: boolean;
}

/** A database that connects, and brings its schema up to date, when it is first asked something. */
export interface Database extends AsyncDisposable {
  readonly pool: Pool;
  readonly ready: () => Promise<void>;
  readonly query: <Row extends QueryResultRow>(statement: Sql) => Promise<QueryResult<Row>>;
}

export function openDatabase(settings: DatabaseSettings): Database {
  const pool = new Pool({
    connectionString: settings.url,
    max: settings.poolSize,
    connectionTimeoutMillis: 10_000,
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
      return pool.query<Row>(statement);
    },
    [Symbol.asyncDispose]: async () => pool.end(),
  };
}
