/** The one pool of an instance: few connections, no session state, so that it works through a transaction-mode pooler. */

import { Pool, type PoolConfig, type QueryResult, type QueryResultRow } from "pg";
import { parseIntoClientConfig } from "pg-connection-string";
import type { Sql } from "sql-template-tag";
import { systemClock, type Clock } from "../clock.ts";
import { once } from "../once.ts";
import { openCipher, type EncryptionKey, type SealingDb } from "./encryption.ts";
import { migrate } from "./migrate.ts";
import { tokenPool, type TokenSource } from "./sign-in.ts";
import { isUnavailable } from "./sql.ts";

export interface DatabaseSettings {
  readonly url: string;
  /** Where there are tokens in the place of a password. */
  readonly tokens?: TokenSource;
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
  const pool = openPool(settings, timeoutMs, clock);
  pool.on("error", () => undefined); // an idle connection broke: the pool has dropped it, the next query opens another
  const migrated = once(async () => settings.migrate && migrate(pool));
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
    await migrated();
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

function openPool(
  { url, poolSize, tokens }: DatabaseSettings,
  timeoutMs: number,
  clock: Pick<Clock, "now">,
): Pool {
  const config: PoolConfig = {
    max: poolSize,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs, // here, as a session's `statement_timeout` is nothing that every pooler lets through
    idleTimeoutMillis: 30_000,
    allowExitOnIdle: true,
    keepAlive: true, // gateways forget connections over which nothing goes
    application_name: "langgraph-functions",
    ...parseIntoClientConfig(withCheckedCertificates(url)),
  };
  return tokens === undefined ? new Pool(config) : tokenPool(config, tokens, clock);
}

/**
 * `sslmode=require` checks the server's certificate and name in pg 8, which warns that it will not in pg 9. Saying what
 * is meant keeps the check, and the warning out of the log of every start.
 */
function withCheckedCertificates(url: string): string {
  if (/[?&]uselibpqcompat=true\b/.test(url)) return url;
  return url.replace(/(?<=[?&]sslmode=)(prefer|require|verify-ca)(?=&|$)/, "verify-full");
}

/** Where one connection was dead, those that have been idle meanwhile are too: an instance was frozen, or the network is gone. */
async function dropIdle(pool: Pool): Promise<void> {
  const idle = Array.from({ length: pool.idleCount }, async () => (await pool.connect()).release(true));
  await Promise.allSettled(idle);
}
