/** The role that infra/azure/database-user.sql makes, on a Postgres: it can do what the app does, and no more. */

import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { LangGraphApp } from "langgraph-functions";
import { expect, test } from "vitest";
import { testDatabase } from "../support/database.ts";

const IDENTITY = "11111111-2222-3333-4444-555555555555";

/** As psql fills it in. Only Azure's Postgres knows what the label is for, so here it becomes a comment. */
async function script(role: string): Promise<string> {
  const text = await readFile("infra/azure/database-user.sql", "utf8");
  const filled = text.replaceAll(":'role'", `'${role}'`).replaceAll(":'identity'", `'${IDENTITY}'`);
  expect(filled.split('security label for "pgaadauth" on role')).toHaveLength(2);
  return filled.replace('security label for "pgaadauth" on role', "comment on role");
}

async function makeSchema(url: string): Promise<void> {
  await using app = new LangGraphApp();
  await app.ready({ database: { url, poolSize: 1, migrate: true }, logLevel: "silent" });
}

test("the app's role makes the schema, when it was made once or twice, and has no rights besides", async () => {
  await using database = await testDatabase({ migrated: false });
  const role = `id-${randomUUID().slice(0, 8)}`;
  const sql = await script(role);
  await database.query(sql);
  await database.query(sql);

  const url = new URL(database.url);
  [url.username, url.password] = [role, "instead of a token"];
  await database.query(`alter role "${role}" password 'instead of a token'`);
  await makeSchema(url.href);

  expect(
    await database.query(
      "select distinct tableowner from pg_tables where schemaname in ('langgraph', 'public')",
    ),
  ).toEqual([{ tableowner: role }]);
  expect(
    await database.query(
      `select rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls,
         shobj_description(oid, 'pg_authid') as label,
         (select count(*)::int from pg_auth_members where member = pg_roles.oid) as memberships
       from pg_roles where rolname = $1`,
      [role],
    ),
  ).toEqual([
    {
      rolsuper: false,
      rolcreaterole: false,
      rolcreatedb: false,
      rolreplication: false,
      rolbypassrls: false,
      label: `aadauth,oid=${IDENTITY},type=service`,
      memberships: 0,
    },
  ]);
  await database.query(`drop owned by "${role}" cascade`);
  await database.query(`drop role "${role}"`);
});
