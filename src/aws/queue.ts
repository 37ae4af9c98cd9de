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

/** Nothing is loaded or connected until something is sent; `readUrl` tells which queue, if there is one. */
export function sqsQueue(readUrl: () => string | undefined, clock: Clock): WakeUpQueue {
  let client: SQSClient | undefined;
  const open = async () => {
    const url = readUrl();
    if (url === undefined)
      throw new AppError("unavailable", "Background runs need the setting RUN_QUEUE_URL");
    return { url, ...(await loadSdk()) };
  };
  return {
    outlivesProcess: () => readUrl() !== undefined,
    check: async () => void (await open()),
    names: () => ({ system: "aws_sqs", destination: readUrl()?.split("/").at(-1) ?? "" }),
    send: async (wakeUp, options = {}) => {
      const { url, SendMessageCommand, SQSClient } = await open();
      client ??= new SQSClient(CLIENT);
      const command = new SendMessageCommand({
        QueueUrl: url,
        MessageBody: JSON.stringify(messageOf(wakeUp, options)),
        DelaySeconds: delaySeconds(options.notBefore, clock.now(), MAX_DELAY_SECONDS),
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
