import { fileURLToPath } from "node:url";
import { buildApp } from "../../support/build.ts";
import { testDatabase } from "../../support/database.ts";
import { openings } from "../../support/deployment/deployment.ts";
import { deployOnLambda } from "../../support/deployment/lambda.ts";
import { startSqs } from "../../support/queues/sqs.ts";
import type { ConformanceHost } from "./host.ts";

const ENTRY = fileURLToPath(new URL("../../aws/fixtures/conformance.ts", import.meta.url));
/** No function hears that its client has left, so a stream without an end holds its sandbox for as long. */
const TIMEOUT_MS = 20_000;

export async function startOnLambda(): Promise<ConformanceHost> {
  const { keep, close } = openings();
  const { entry } = await keep(buildApp(ENTRY));
  const database = await keep(testDatabase());
  const sqs = await keep(startSqs());
  const env = { DATABASE_URL: database.url, LOG_LEVEL: "silent" };
  const { url, failures } = await keep(deployOnLambda({ entry, env, sqs, timeoutMs: TIMEOUT_MS }));
  return { url, failures, [Symbol.asyncDispose]: close };
}
