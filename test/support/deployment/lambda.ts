/** The three functions of one deployment on AWS Lambda, behind a Function URL, a queue and a schedule. */

import type { SQSBatchResponse } from "aws-lambda";
import { startLambda, type Lambda } from "../lambda/lambda.ts";
import type { Sqs } from "../queues/sqs.ts";
import { openings, triggering, type Deployment, type DeploymentOptions } from "./deployment.ts";

type Door = "http" | "worker" | "schedule";

export interface LambdaDeploymentOptions extends DeploymentOptions {
  readonly sqs: Sqs;
  /** Of all functions, or of each. */
  readonly timeoutMs?: number | Readonly<Record<Door, number>>;
}

export async function deployOnLambda({
  entry,
  env,
  node,
  sqs,
  timeoutMs,
}: LambdaDeploymentOptions): Promise<Deployment> {
  const { keep, close } = openings();
  const options = {
    entry,
    env: { ...sqs.env, ...env },
    ...(node === undefined ? {} : { node }),
  };
  const start = async (handler: Door): Promise<Lambda> => {
    const ms = typeof timeoutMs === "object" ? timeoutMs[handler] : timeoutMs;
    return keep(startLambda({ ...options, ...(ms === undefined ? {} : { timeoutMs: ms }), handler }));
  };
  const [http, worker, schedule] = [await start("http"), await start("worker"), await start("schedule")];
  const { failures } = await keep(
    triggering({
      receive: async () => batch(sqs, worker),
      tick: async () => schedule.invoke({ source: "langgraph.tick" }),
    }),
  );
  return {
    url: `${http.url}/api`,
    failures: () => failures,
    output: () => [http, worker, schedule].flatMap(({ output }) => output),
    [Symbol.asyncDispose]: close,
  };
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
