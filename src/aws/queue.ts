/** Wakes workers through a queue of SQS, which Lambda's event source mapping reads. */

import type { GetQueueAttributesCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
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
    const sdk = await loadSdk();
    return { url, sdk, client: (client ??= new sdk.SQSClient(CLIENT)) };
  };
  return {
    outlivesProcess: () => url !== undefined,
    check: async () => void (await open()),
    names: () => ({ system: "aws_sqs", destination: url?.split("/").at(-1) ?? "" }),
    depth: async (abortSignal) => {
      const { url, sdk, client } = await open();
      const read = async (QueueUrl: string): Promise<Attributes> => {
        const command = new sdk.GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] });
        return (await client.send(command, { abortSignal })).Attributes ?? {};
      };
      const attributes = await read(url).catch(uncounted);
      const dead = deadLetterUrl(url, attributes["RedrivePolicy"]);
      const deadAttributes = dead === undefined ? {} : await read(dead).catch(() => ({})); // it may be another's
      return { messages: messagesIn(attributes), deadLetters: messagesIn(deadAttributes) };
    },
    send: async (wakeUp, options = {}) => {
      const { url, sdk, client } = await open();
      const command = new sdk.SendMessageCommand({
        QueueUrl: url,
        MessageBody: JSON.stringify(messageOf(wakeUp, options)),
        DelaySeconds: delaySeconds(options.notBefore, clock.now(), MAX_DELAY_SECONDS),
      });
      await client.send(command).catch(unreachable);
    },
  };
}

type Attributes = Readonly<Partial<Record<string, string>>>;

/** Those that are visible, delayed and received; undefined where nothing was told. */
function messagesIn(attributes: Attributes): number | undefined {
  const told = Object.entries(attributes).filter(([name]) => name.startsWith("ApproximateNumberOfMessages"));
  return told.length === 0 ? undefined : told.reduce((sum, [, count]) => sum + Number(count), 0);
}

/** A role that may send need not be allowed to count. */
function uncounted(error: unknown): Attributes {
  return error instanceof Error && error.name.startsWith("AccessDenied") ? {} : unreachable(error);
}

/** A dead-letter queue is of the same account and region. */
function deadLetterUrl(url: string, redrivePolicy = ""): string | undefined {
  const [, name] = /"deadLetterTargetArn"\s*:\s*"[^"]*:([\w-]+)"/.exec(redrivePolicy) ?? [];
  return name === undefined ? undefined : url.replace(/[^/]+$/, name);
}

function unreachable(cause: unknown): never {
  throw new AppError("unavailable", "The run queue cannot be reached", { cause });
}

interface Sdk {
  readonly SQSClient: typeof SQSClient;
  readonly SendMessageCommand: typeof SendMessageCommand;
  readonly GetQueueAttributesCommand: typeof GetQueueAttributesCommand;
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
