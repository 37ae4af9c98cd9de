/** Wakes workers through a queue of SQS, which Lambda's event source mapping reads. */

import type { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
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

/** Nothing is loaded or connected until something is sent. */
export function sqsQueue(url: string | undefined, clock: Clock): WakeUpQueue {
  let client: SQSClient | undefined;
  const open = async () => {
    if (url === undefined)
      throw new AppError("unavailable", "Background runs need the setting RUN_QUEUE_URL");
    return { url, ...(await loadSdk()) };
  };
  return {
    outlivesProcess: () => url !== undefined,
    check: async () => void (await open()),
    send: async (wakeUp, { notBefore } = {}) => {
      const { url, SendMessageCommand, SQSClient } = await open();
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

interface Sdk {
  readonly SQSClient: typeof SQSClient;
  readonly SendMessageCommand: typeof SendMessageCommand;
}

/** It is CommonJS, of which a bundle in chunks has no names, only the whole. @see https://github.com/evanw/esbuild/issues/3245 */
async function loadSdk(): Promise<Sdk> {
  const module: Sdk & { readonly default?: Sdk } = await import("@aws-sdk/client-sqs").catch(missing);
  return module.default ?? module;
}

function missing(cause: unknown): never {
  throw new AppError(
    "unavailable",
    "Background runs need the package @aws-sdk/client-sqs: npm install @aws-sdk/client-sqs",
    { cause },
  );
}
