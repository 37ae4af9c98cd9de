/** The user that `infra/aws` makes in an Aurora, on a Postgres. */

import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { LangGraphApp } from "langgraph-functions";
import { Client } from "pg";
import { expect, inject, test } from "vitest";

const statement = await readFile(new URL("../../infra/aws/database-user.sql", import.meta.url), "utf8");

test("can make the schema and use it, and is nobody else", async () => {
  const name = `aurora_${randomBytes(6).toString("hex")}`; // on a server that is not this test's alone
  const password = "signs-in-with-iam-there";
  await using server = await connect(inject("postgresUrl"));
  await server.query(`create database ${name}`);
  try {
    await using admin = await connect(urlOf({ database: name }));
    await server.query("create role rds_iam").catch(() => undefined); // RDS has it
    const sql = statement.replaceAll(/'langgraph'|\blanggraph\b/g, (found) =>
      found.replace("langgraph", name),
    );
    await admin.query(sql);
    await admin.query(sql); // it may be run again
    await admin.query(`alter role ${name} password '${password}'`);

    const app = new LangGraphApp();
    const url = urlOf({ database: name, user: name, password });
    await app.ready({ database: { url, poolSize: 1, migrate: true }, logLevel: "silent" });
    await app[Symbol.asyncDispose]();

    const { rows: tables } = await admin.query(
      "select schemaname, tableowner from pg_tables where schemaname in ('public', 'langgraph') group by 1, 2 order by 1",
    );
    expect(tables).toEqual([
      { schemaname: "langgraph", tableowner: name },
      { schemaname: "public", tableowner: name },
    ]);
    const { rows: roles } = await admin.query(
      "select rolsuper, rolcreaterole, rolcreatedb, rolcanlogin, pg_has_role(oid, 'rds_iam', 'member') as signs_in_with_iam from pg_roles where rolname = $1",
      [name],
    );
    expect(roles).toEqual([
      {
        rolsuper: false,
        rolcreaterole: false,
        rolcreatedb: false,
        rolcanlogin: true,
        signs_in_with_iam: true,
      },
    ]);
  } finally {
    await server.query(`drop database ${name} with (force)`);
    await server.query(`drop role if exists ${name}`);
  }
});

function urlOf(parts: {
  readonly database: string;
  readonly user?: string;
  readonly password?: string;
}): string {
  const url = new URL(inject("postgresUrl"));
  url.pathname = `/${parts.database}`;
  if (parts.user !== undefined) url.username = parts.user;
  if (parts.password !== undefined) url.password = parts.password;
  return url.href;
}

async function connect(url: string): Promise<AsyncDisposable & Pick<Client, "query">> {
  const client = new Client({ connectionString: url });
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: async () => client.end() });
}
