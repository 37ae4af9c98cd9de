/** The one pool of an instance: few connections, no session state, so that it works through a transaction-mode pooler. */

import { Pool, type QueryResult, type QueryResultRow } from "pg";
import type { Sql } from "sql-template-tag";
import { systemClock, type Clock } from "../clock.ts";
import { openCipher, type EncryptionKey, type SealingDb } from "./encryption.ts";
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
  /** What contents are encrypted with: the first one encrypts, all decrypt. Without any, nothing is encrypted. */
  readonly encryptionKeys?: readonly EncryptionKey[];
}

const TIMEOUT_MS = 15_000;

/** A database that connects, and brings its schema up to date, when it is first asked something. */
export interface Database extends SealingDb, AsyncDisposable {
  readonly pool: Pool;
  readonly ready: () => Promise<void>;
}

/**
 * After this long without a statement, connections are tried before they are used: a host may have frozen the process,
 * and its sockets be dead without anybody having told. Timers have not run meanwhile, so the pool does not know either.
 */
const DOUBTFUL_MS = 10_000;
const PING = { text: "select 1", query_timeout: 1_000 };

export function openDatabase(settings: DatabaseSettings, clock: Pick<Clock, "now"> = systemClock): Database {
  const { timeoutMs = TIMEOUT_MS } = settings;
  const pool = new Pool({
    connectionString: settings.url,
    max: settings.poolSize,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs, // here, as a session's `statement_timeout` is nothing that every pooler lets through
    idleTimeoutMillis: 30_000,
    allowExitOnIdle: true,
    keepAlive: true, // gateways forget connections over which nothing goes
    application_name: "langgraph-functions",
  });
  pool.on("error", () => undefined); // an idle connection broke: the pool has dropped it, the next query opens another
  let migrated: Promise<unknown> | undefined = settings.migrate ? undefined : Promise.resolve();
  let lastUse = clock.now().getTime();
  let tried: Promise<unknown> = Promise.resolve();
  const tryDoubtful = async (): Promise<void> => {
    const now = clock.now().getTime();
    if (now - lastUse > DOUBTFUL_MS) {
      // At the same time, so that each gets a connection of its own. One that fails is dropped by the pool.
      const pings = Array.from({ length: pool.idleCount }, async () => pool.query(PING));
      tried = Promise.allSettled(pings);
    }
    lastUse = now;
    await tried;
  };
  const ready = async (): Promise<void> => {
    migrated ??= migrate(pool).catch((error: unknown) => {
      migrated = undefined; // the database may be there the next time
      throw error;
    });
    await migrated;
    await tryDoubtful();
  };
  return {
    pool,
    cipher: openCipher(settings.encryptionKeys),
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
