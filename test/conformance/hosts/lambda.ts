/** The three functions of one deployment on AWS Lambda, behind a Function URL, a queue and a schedule. */

import { fileURLToPath } from "node:url";
import type { SQSBatchResponse } from "aws-lambda";
import { buildApp } from "../../support/build.ts";
import { testDatabase } from "../../support/database.ts";
import { startLambda, type Lambda } from "../../support/lambda/lambda.ts";
import { startSqs, type Sqs } from "../../support/queues/sqs.ts";
import { openings, triggering, type ConformanceHost } from "./host.ts";

const ENTRY = fileURLToPath(new URL("../../aws/fixtures/conformance.ts", import.meta.url));
/** No function hears that its client has left, so a stream without an end holds its sandbox for as long. */
const TIMEOUT_MS = 20_000;

export async function startOnLambda(): Promise<ConformanceHost> {
  const { keep, close } = openings();
  const app = await keep(buildApp(ENTRY));
  const database = await keep(testDatabase());
  const sqs = await keep(startSqs());
  const env = { ...sqs.env, DATABASE_URL: database.url, LOG_LEVEL: "silent" };
  const start = async (handler: string): Promise<Lambda> =>
    keep(startLambda({ entry: app.entry, handler, env, timeoutMs: TIMEOUT_MS }));
  const [http, worker, schedule] = [await start("http"), await start("worker"), await start("schedule")];
  const { failures } = await keep(
    triggering({
      receive: async () => batch(sqs, worker),
      tick: async () => schedule.invoke({ source: "langgraph.tick" }),
    }),
  );
  return { url: `${http.url}/api`, failures: () => failures, [Symbol.asyncDispose]: close };
}

export async function batch(sqs: Sqs, worker: Lambda): Promise<readonly (() => Promise<void>)[]> {
  const event = await sqs.receive();
  if (event.Records.length === 0) return [];
  const handOver = async (): Promise<void> => {
    const answer: SQSBatchResponse = JSON.parse(await worker.invoke(event));
    if (answer.batchItemFailures.length > 0) throw new Error("The worker could not work a message");
    for (const record of event.Records) await sqs.remove(record);
  };
  return [handOver];
}
