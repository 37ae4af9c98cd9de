/** The database's schema, for the program that brings it up to date before a deployment. */

import { migrate, migrationStatus, type MigrationStatus } from "./postgres/migrate.ts";
import { openDatabase } from "./postgres/pool.ts";
import type { Settings } from "./settings.ts";

export type { MigrationStatus };

/** Which migrations the database has and which it lacks. @throws as `ready` of an app does */
export async function readMigrations({ database }: Settings): Promise<MigrationStatus> {
  await using opened = openDatabase({ ...database, poolSize: 1, migrate: false });
  return await migrationStatus(opened.pool);
}

/** Applies what is missing; tells the name of each when it is done. @throws as `ready` of an app does */
export async function runMigrations({ database }: Settings, tell: (name: string) => void): Promise<void> {
  await using opened = openDatabase({ ...database, poolSize: 1, migrate: false });
  await migrate(opened.pool, tell);
}
