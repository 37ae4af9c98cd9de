/** Brings the database to the schema that this code needs; safe to run from many instances at once. */

import type { Pool, PoolClient } from "pg";
import sql from "sql-template-tag";
import { AppError } from "../errors.ts";
import { VERSION } from "../version.ts";
import { threadsAndRuns } from "./migrations/0001_threads_and_runs.ts";
import { checkpoints } from "./migrations/0002_checkpoints.ts";
import { rateLimits } from "./migrations/0003_rate_limits.ts";
import { crons } from "./migrations/0004_crons.ts";
import { webhooks } from "./migrations/0005_webhooks.ts";
import { lifetimes } from "./migrations/0006_lifetimes.ts";
import { assistants } from "./migrations/0007_assistants.ts";
import { store } from "./migrations/0008_store.ts";
import { protocol } from "./migrations/0009_protocol.ts";
import { owners } from "./migrations/0010_owners.ts";
import { limits } from "./migrations/0011_limits.ts";
import { resumeLinks } from "./migrations/0012_resume_links.ts";
import { apiKeys } from "./migrations/0014_api_keys.ts";
import { signOfLife } from "./migrations/0015_sign_of_life.ts";
import { rows, translate, type Db } from "./sql.ts";

interface Migration {
  readonly name: string;
  readonly statements: string;
  /**
   * Whether releases that do not know it must stop: it drops, renames or gives another meaning to what they read, or adds
   * what they would have to fill in. All others leave a way back: the release before goes on with the schema of the next.
   */
  readonly breaks?: true;
}

/** In order; a released one never changes. */
const MIGRATIONS: readonly Migration[] = [
  { name: "0001_threads_and_runs", statements: threadsAndRuns },
  { name: "0002_checkpoints", statements: checkpoints },
  { name: "0003_rate_limits", statements: rateLimits },
  { name: "0004_crons", statements: crons },
  { name: "0005_webhooks", statements: webhooks },
  { name: "0006_lifetimes", statements: lifetimes },
  { name: "0007_assistants", statements: assistants },
  { name: "0008_store", statements: store },
  { name: "0009_protocol", statements: protocol },
  { name: "0010_owners", statements: owners },
  { name: "0011_limits", statements: limits },
  { name: "0012_resume_links", statements: resumeLinks },
  { name: "0014_api_keys", statements: apiKeys },
  { name: "0015_sign_of_life", statements: signOfLife },
];

/** How many there are. */
export const SCHEMA_VERSION: number = MIGRATIONS.length;

/** Any number that no other program uses for an advisory lock on this database. */
const LOCK = 7_153_000_001;
/** For a migration on much data, and for whoever waits until another instance is through with it. */
const PATIENCE_MS = 3_600_000;

/**
 * Applies what is missing, each migration in a transaction of its own; one query when there is nothing to do.
 * Returns how many were applied; `tell` is called with the name of each when it is done.
 * @throws AppError `unavailable` when the database cannot be reached
 * @throws Error that says which migration failed, or what to do about a schema that is newer than this code
 */
export async function migrate(pool: Pool, tell: (name: string) => void = () => undefined): Promise<number> {
  if ((await appliedVersion(pool)) >= MIGRATIONS.length) return 0;
  const client = await connect(pool);
  try {
    await client.query(BOOKKEEPING);
    let applied = 0;
    for (let name = await applyNext(client); name !== undefined; name = await applyNext(client)) {
      applied += 1;
      tell(name);
    }
    client.release();
    return applied;
  } catch (error) {
    client.release(true); // a failed transaction may still be open on it
    throw translate(error);
  }
}

export interface MigrationStatus {
  readonly applied: readonly string[];
  readonly missing: readonly string[];
  /** How many more a newer release has applied, which this one can do with. */
  readonly newer: number;
}

/** The names of the migrations that the database has, and of those that it lacks. @throws as `migrate` */
export async function migrationStatus(pool: Pool): Promise<MigrationStatus> {
  const version = await appliedVersion(pool).catch((error: unknown) => {
    throw translate(error);
  });
  const names = MIGRATIONS.map(({ name }) => name);
  const newer = Math.max(0, version - names.length);
  return { applied: names.slice(0, version), missing: names.slice(version), newer };
}

/** Applies the first missing migration under the lock, and tells its name; undefined when there is none. */
async function applyNext(client: PoolClient): Promise<string | undefined> {
  await client.query("begin");
  const lock = { text: `select pg_advisory_xact_lock(${LOCK})`, query_timeout: PATIENCE_MS };
  await client.query(lock);
  const version = await appliedVersion(client);
  const migration = MIGRATIONS[version];
  if (migration !== undefined) {
    const statements = { text: migration.statements, query_timeout: PATIENCE_MS };
    await client.query(statements).catch((error: unknown) => {
      throw failure(migration.name, error);
    });
    const breaks = migration.breaks ?? false;
    await client.query(
      sql`insert into langgraph.migrations (version, breaks) values (${version + 1}, ${breaks})`,
    );
  }
  await client.query("commit");
  return migration?.name;
}

/** A database that went away is no fault of the migration. */
function failure(name: string, error: unknown): unknown {
  const known = translate(error);
  if (known instanceof AppError) return known;
  return new Error(`The migration ${name} failed, and nothing of it was kept: ${String(error)}`, {
    cause: error,
  });
}

/**
 * In a transaction of its own, and changing only what has to be: other instances look at the table when they start, and
 * must not wait until a migration is through, or a backup.
 */
const BOOKKEEPING = {
  query_timeout: PATIENCE_MS,
  text: `
select pg_advisory_xact_lock(${LOCK});
create schema if not exists langgraph;
create table if not exists langgraph.migrations (
  version integer primary key,
  applied_at timestamptz not null default now(),
  breaks boolean not null default false
);
do $$ begin
  if not exists (select from pg_attribute where attrelid = 'langgraph.migrations'::regclass and attname = 'breaks') then
    alter table langgraph.migrations add column breaks boolean not null default false; -- the first releases lack it
  end if;
end $$`,
};

/**
 * How many migrations the database has; 0 for one that has never seen us.
 * @throws Error when one of those that a newer release has applied leaves no room for this one
 */
async function appliedVersion(db: Db): Promise<number> {
  const version = await latestVersion(db);
  if (version <= MIGRATIONS.length || !(await isBroken(db))) return version;
  throw new Error(
    `The database's schema is at version ${version}, this langgraph-functions ${VERSION} knows ${MIGRATIONS.length}: a newer release has used the database. Deploy that release (or a later one), or use another database.`,
  );
}

async function isBroken(db: Db): Promise<boolean> {
  const unknown = sql`select from langgraph.migrations where version > ${MIGRATIONS.length} and breaks limit 1`;
  return (await rows(db, unknown)).length > 0;
}

async function latestVersion(db: Db): Promise<number> {
  try {
    const [row] = await rows<{ version: number | null }>(
      db,
      sql`select max(version) as version from langgraph.migrations`,
    );
    return row?.version ?? 0;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === UNDEFINED_TABLE) return 0;
    throw error;
  }
}

const UNDEFINED_TABLE = "42P01";

async function connect(pool: Pool): Promise<PoolClient> {
  return pool.connect().catch((error: unknown) => {
    throw translate(error);
  });
}
