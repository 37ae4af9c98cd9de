import { fileURLToPath } from "node:url";
import { buildApp } from "../../support/build.ts";
import { testDatabase } from "../../support/database.ts";
import { deployOnAzure } from "../../support/deployment/azure.ts";
import { openings } from "../../support/deployment/deployment.ts";
import { startAzurite } from "../../support/queues/azurite.ts";
import type { ConformanceHost } from "./host.ts";

const ENTRY = fileURLToPath(new URL("../../azure/fixtures/conformance.ts", import.meta.url));

export async function startOnAzure(): Promise<ConformanceHost> {
  const { keep, close } = openings();
  const { entry } = await keep(buildApp(ENTRY));
  const database = await keep(testDatabase());
  const azurite = await keep(startAzurite());
  const env = { DATABASE_URL: database.url, LOG_LEVEL: "silent" };
  const { url, failures } = await keep(deployOnAzure({ entry, env, azurite, keys: false }));
  return { url, failures, [Symbol.asyncDispose]: close };
}
