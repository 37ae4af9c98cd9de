/** One Postgres for the whole test run, with a migrated template of which each test file makes its own database. */

import { mkdtemp, rm, chmod } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { LangGraphApp } from "langgraph-functions";
import { startEmbeddedPostgres } from "langgraph-functions/local";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  export interface ProvidedContext {
    postgresUrl: string;
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
  return async () => {
    await postgres[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  };
}

async function makeTemplate(server: string): Promise<void> {
  const client = new Client({ connectionString: server });
  await client.connect();
  await client.query(`create database ${TEMPLATE}`);
  await client.end();
  const url = new URL(server);
  url.pathname = `/${TEMPLATE}`;
  await using app = new LangGraphApp();
  await app.ready({ database: { url: url.href, poolSize: 1, migrate: true }, logLevel: "silent" });
}

const TEMPLATE = "langgraph_template";
