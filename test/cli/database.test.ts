import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { testDatabase } from "../support/database.ts";
import { startEntra } from "../support/entra.ts";
import { testFolder } from "../support/program.ts";
import { documentedSql } from "../support/roles.ts";
import { startLambda } from "../support/lambda/lambda.ts";
import { cli, graphSource, startDev, testProject } from "./cli.ts";

const folder = await testFolder();
afterAll(async () => folder[Symbol.asyncDispose]());

test("with the roles of the documentation, one migrates and the other one works, both without a password", async () => {
  await using database = await testDatabase({ migrated: false });
  const { pathname } = new URL(database.directUrl);
  const id = randomUUID().slice(0, 8);
  const names = { migrate: `migrate_${id}`, app: `app_${id}`, database: pathname.slice(1) };
  const sql = await documentedSql(names);
  await database.query(sql.roles);
  await using deployer = await startEntra(database, { user: names.migrate, clientId: randomUUID() });
  await using worker = await startEntra(database, { user: names.app, clientId: randomUUID() });
  const key = `a:${Buffer.alloc(32, 1).toString("base64")}`;
  const run = async (user: string, env: Readonly<Record<string, string>>, ...args: string[]) => {
    const url = new URL(database.directUrl);
    Object.assign(url, { username: user, password: "" });
    return cli({ folder, args, env: { ...env, DATABASE_URL: url.href, ENCRYPTION_KEYS: key } });
  };
  const migrated = await run(names.migrate, deployer.env, "migrate");
  expect([migrated.code, migrated.output]).toEqual([
    0,
    expect.stringMatching(/The schema is up to date\.\n$/),
  ]);
  await database.query(`set role ${names.migrate}; ${sql.grants} create table langgraph.later (id integer)`);
  await database.query(`set role ${names.app}; insert into langgraph.later (id) values (1)`);

  await worker.rotate();
  const created = await run(names.app, worker.env, "keys", "create", "ada");
  expect(created.code).toBe(0);
  const reencrypted = await run(names.app, worker.env, "reencrypt");
  expect([reencrypted.code, reencrypted.output]).toEqual([0, expect.stringContaining("is encrypted under")]);
  const refused = await run(names.app, worker.env, "migrate");
  expect([refused.code, refused.output]).toEqual([0, expect.stringContaining("The schema is up to date.")]);

  worker.breakDown();
  const { code, output } = await run(names.app, worker.env, "keys", "list");
  expect(code).toBe(1);
  expect(output).toMatch(
    /^error The database \(.*\) cannot be used\. Microsoft Entra ID gives no token for the database: /,
  );
  await database.query(`drop owned by ${names.app}; drop role ${names.app}`);
  await database.query(`drop owned by ${names.migrate} cascade; drop role ${names.migrate}`);
});

test("the embedded Postgres is signed in to with its password, whatever the database in the cloud wants", async () => {
  await using project = await testProject();
  await project.write({
    "langgraph.json": { graphs: { agent: "./agent.ts:graph" }, env: { DATABASE_AUTH: "entra" } },
    "agent.ts": graphSource("({ text }) => ({ text })"),
  });
  await using program = await startDev({ folder: project, args: ["--no-reload"] });
  expect(await (await fetch(`${program.url}/status/summary`)).json()).toEqual({ status: "ok" });
  program.kill("SIGTERM");
  expect(await program.exit).toBe(0);
});

test("where the package that fetches tokens is not installed, the log says which one to install", async () => {
  await using project = await testProject();
  await project.write({
    "package.json": { type: "module" },
    "langgraph.json": { graphs: { agent: "./agent.ts:graph" } },
    "agent.ts": graphSource("({ text }) => ({ text })"),
  });
  const packages = { entra: "@azure/identity", "rds-iam": "@aws-sdk/rds-signer" };
  const externals = Object.values(packages).flatMap((name) => ["--external", name]);
  await using elsewhere = await testFolder(); // nothing is installed above it
  const args = ["build", "--target", "lambda", "--out", join(elsewhere.path, "deploy"), ...externals];
  const { code, output } = await cli({ folder: project, args });
  expect(code, output).toBe(0);
  await using database = await testDatabase();
  const url = new URL(database.directUrl);
  url.password = "";
  for (const [auth, name] of Object.entries(packages)) {
    await using lambda = await startLambda({
      entry: join(elsewhere.path, "deploy/lambda.js"),
      handler: "http",
      env: { DATABASE_URL: url.href, DATABASE_AUTH: auth, FUNCTION_KEY: "key" },
    });
    const { status } = await fetch(`${lambda.url}/api/threads/a?code=key`);
    expect(status).toBe(503);
    expect(lambda.output.join("\n")).toContain(
      `DATABASE_AUTH=${auth} needs the package ${name}: npm install ${name}`,
    );
  }
});
