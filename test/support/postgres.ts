/** One Postgres for the whole test run, with a migrated template of which each test file makes its own database. */

import { randomUUID } from "node:crypto";
import { mkdtemp, rm, chmod } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { LangGraphApp } from "langgraph-functions";
import { startEmbeddedPostgres } from "langgraph-functions/local";
import type { TestProject } from "vitest/node";
import { startPgBouncer } from "./pgbouncer.ts";
import { documentedSql } from "./roles.ts";

declare module "vitest" {
  export interface ProvidedContext {
    postgresUrl: string;
    /** By way of a pooler, as a user with as few rights as the documentation gives it; undefined without a pooler. */
    poolerUrl: string | undefined;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), "langgraph-functions-test-"));
  await chmod(folder, 0o755);
  const postgres = await startEmbeddedPostgres({
    folder,
    binaries: process.env["POSTGRES_BINARIES"],
    settings: { fsync: "off", max_connections: "300" },
  });
  await makeTemplate(postgres.url);
  project.provide("postgresUrl", postgres.url);
  const pooler = process.env["POOLER"] === "pgbouncer" ? await startPooler(postgres.url) : undefined;
  project.provide("poolerUrl", pooler?.url);
  return async () => {
    await pooler?.[Symbol.asyncDispose]();
    await postgres[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  };
}

async function makeTemplate(server: string): Promise<void> {
  await send(server, `create database ${TEMPLATE}`);
  await using app = new LangGraphApp();
  await app.ready({ database: { url: template(server), poolSize: 1, migrate: true }, logLevel: "silent" });
}

const TEMPLATE = "langgraph_template";

function template(server: string): string {
  const url = new URL(server);
  url.pathname = `/${TEMPLATE}`;
  return url.href;
}

interface Pooler extends AsyncDisposable {
  readonly url: string;
}

/** What is served through it may do no more than docs/database.md says; who migrates signs in as before. */
async function startPooler(server: string): Promise<Pooler> {
  const url = new URL(server);
  const password = randomUUID();
  const { grants } = await documentedSql({ migrate: url.username, app: APP, database: TEMPLATE });
  await send(server, `create role ${APP} login password '${password}'`);
  await send(template(server), grants);
  const users = { [url.username]: url.password, [APP]: password };
  const pooler = await startPgBouncer(server, users);
  return {
    url: `postgres://${APP}:${password}@127.0.0.1:${pooler.port}`,
    [Symbol.asyncDispose]: async () => pooler[Symbol.asyncDispose](),
  };
}

const APP = "langgraph_app";

async function send(url: string, text: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(text);
  await client.end();
}
