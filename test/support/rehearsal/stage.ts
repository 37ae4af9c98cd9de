/** What is around a deployment: a database, a queue, and a host that sets the variables that the infrastructure sets. */

import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Client } from "pg";
import { startEmbeddedPostgres } from "../../../src/local/index.ts";
import { deployOnAzure } from "../deployment/azure.ts";
import { openings, type Deployment } from "../deployment/deployment.ts";
import { deployOnLambda } from "../deployment/lambda.ts";
import { startAzurite } from "../queues/azurite.ts";
import { startSqs } from "../queues/sqs.ts";
import type { Target } from "./assemble.ts";
import { azureVariables, lambdaVariables } from "./variables.ts";

export interface StageOptions {
  readonly target: Target;
  /** Where the database is kept. */
  readonly folder: string;
  readonly entry: string;
  /** The function key that callers need. */
  readonly key: string;
  readonly node: string | undefined;
}

export async function onStage({ target, folder, entry, key, node }: StageOptions): Promise<Deployment> {
  const { keep, close } = openings();
  try {
    const settings = { folder: join(folder, "postgres"), settings: { fsync: "off" } };
    const server = await keep(startEmbeddedPostgres(settings));
    const databaseUrl = await newDatabase(server.url);
    const { url, failures, output } = await keep(
      target === "azure"
        ? onAzure(keep, { entry, key, node, databaseUrl })
        : onLambda(keep, { entry, key, node, databaseUrl }),
    );
    return { url, failures, output, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

type Keep = ReturnType<typeof openings>["keep"];

interface Parts {
  readonly entry: string;
  readonly key: string;
  readonly node: string | undefined;
  readonly databaseUrl: string;
}

/** There, the host asks for keys, and has them. */
async function onAzure(keep: Keep, { entry, key, node, databaseUrl }: Parts): Promise<Deployment> {
  const azurite = await keep(startAzurite());
  const env = await azureVariables(databaseUrl, azurite.connectionString);
  const hostJson = JSON.parse(await readFile(join(dirname(entry), "host.json"), "utf8"));
  return deployOnAzure({ entry, env, node, azurite, keys: { function: key }, hostJson });
}

/** The other variables of the queue are for the emulator alone, or Lambda's own. */
async function onLambda(keep: Keep, { entry, key, node, databaseUrl }: Parts): Promise<Deployment> {
  const sqs = await keep(startSqs());
  const { RUN_QUEUE_URL = "" } = sqs.env;
  const given = { DATABASE_URL: databaseUrl, FUNCTION_KEY: key, RUN_QUEUE_URL };
  const { environment, timeoutMs } = await lambdaVariables(given);
  return deployOnLambda({ entry, env: environment, node, sqs, timeoutMs });
}

/** An empty one, of which the deployment makes what it needs. */
async function newDatabase(server: string): Promise<string> {
  const name = `rehearsal_${randomUUID().replaceAll("-", "")}`;
  const client = new Client({ connectionString: server });
  await client.connect();
  await client.query(`create database ${name}`);
  await client.end();
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}
