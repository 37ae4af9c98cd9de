/** Wakes workers through a queue of SQS, which Lambda's event source mapping reads. */

import type { SQSClient } from "@aws-sdk/client-sqs";
import { z } from "zod";
import type { Clock } from "../clock.ts";
import type { RunQueue } from "../core/ports.ts";
import { AppError } from "../errors.ts";

/** The longest that SQS holds a message back; what is due later is sent again on the way. */
const MAX_DELAY_SECONDS = 900;
/** A request waits for these sends, and the sockets of a sandbox that was frozen may be dead. */
const CLIENT = {
  useQueueUrlAsEndpoint: false, // else AWS_ENDPOINT_URL_SQS would be ignored
  maxAttempts: 3,
  requestHandler: { connectionTimeout: 2_000, requestTimeout: 5_000, throwOnRequestTimeout: true },
};

const WakeUp = z.object({ run_id: z.guid(), not_before: z.coerce.date().optional() });
export type WakeUp = z.output<typeof WakeUp>;

/** Null for what is no message of ours. */
export function readWakeUp(body: string): WakeUp | null {
  try {
    return WakeUp.safeParse(JSON.parse(body)).data ?? null;
  } catch {
    return null; // no JSON
  }
}

/** Nothing is loaded or connected until something is sent; `readUrl` tells which queue, if there is one. */
export function sqsQueue(readUrl: () => string | undefined, clock: Clock): RunQueue {
  let client: SQSClient | undefined;
  return {
    send: async (run_id, { notBefore } = {}) => {
      const url = readUrl();
      if (url === undefined)
        throw new AppError("unavailable", "Background runs need the setting RUN_QUEUE_URL");
      const { SendMessageCommand, SQSClient } = await import("@aws-sdk/client-sqs").catch(missing);
      client ??= new SQSClient(CLIENT);
      const command = new SendMessageCommand({
        QueueUrl: url,
        MessageBody: JSON.stringify({ run_id, not_before: notBefore }),
        DelaySeconds: delaySeconds(notBefore, clock.now()),
      });
      try {
        await client.send(command);
      } catch (error) {
        throw new AppError("unavailable", "The run queue cannot be reached", { cause: error });
      }
    },
  };
}

function delaySeconds(notBefore: Date | undefined, now: Date): number {
  const delayMs = notBefore === undefined ? 0 : notBefore.getTime() - now.getTime();
  return Math.min(Math.max(0, Math.ceil(delayMs / 1000)), MAX_DELAY_SECONDS);
}

function missing(cause: unknown): never {
  throw new AppError(
    "unavailable",
    "Background runs need the package @aws-sdk/client-sqs: npm install @aws-sdk/client-sqs",
    { cause },
  );
}
