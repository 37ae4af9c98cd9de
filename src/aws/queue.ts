/** Wakes workers through a queue of SQS, which Lambda's event source mapping reads. */

import type { SQSClient } from "@aws-sdk/client-sqs";
import type { Clock } from "../clock.ts";
import { delaySeconds, messageOf, type WakeUpQueue } from "../core/wake-ups.ts";
import { AppError } from "../errors.ts";

/** The longest that SQS holds a message back; what is due later is sent again on the way. */
const MAX_DELAY_SECONDS = 900;
/** A request waits for these sends, and the sockets of a sandbox that was frozen may be dead. */
const CLIENT = {
  useQueueUrlAsEndpoint: false, // else AWS_ENDPOINT_URL_SQS would be ignored
  maxAttempts: 3,
  requestHandler: { connectionTimeout: 2_000, requestTimeout: 5_000, throwOnRequestTimeout: true },
};

/** Nothing is loaded or connected until something is sent; `readUrl` tells which queue, if there is one. */
export function sqsQueue(readUrl: () => string | undefined, clock: Clock): WakeUpQueue {
  let client: SQSClient | undefined;
  return {
    send: async (wakeUp, { notBefore } = {}) => {
      const url = readUrl();
      if (url === undefined)
        throw new AppError("unavailable", "Background runs need the setting RUN_QUEUE_URL");
      const { SendMessageCommand, SQSClient } = await import("@aws-sdk/client-sqs").catch(missing);
      client ??= new SQSClient(CLIENT);
      const command = new SendMessageCommand({
        QueueUrl: url,
        MessageBody: JSON.stringify(messageOf(wakeUp, notBefore)),
        DelaySeconds: delaySeconds(notBefore, clock.now(), MAX_DELAY_SECONDS),
      });
      try {
        await client.send(command);
      } catch (error) {
        throw new AppError("unavailable", "The run queue cannot be reached", { cause: error });
      }
    },
  };
}

function missing(cause: unknown): never {
  throw new AppError(
    "unavailable",
    "Background runs need the package @aws-sdk/client-sqs: npm install @aws-sdk/client-sqs",
    { cause },
  );
}
