/** Wakes workers through a queue of Azure Storage, which the host's queue trigger reads. */

import type { QueueClient, QueueServiceClient } from "@azure/storage-queue";
import type { Clock } from "../clock.ts";
import { delaySeconds, messageOf, type WakeUpQueue } from "../core/wake-ups.ts";
import { AppError } from "../errors.ts";
import type { AzureSettings, StorageSettings } from "../host-settings.ts";
import { once } from "../once.ts";

/** The longest that Azure hides a message; what is due later is sent again on the way. */
const MAX_DELAY_SECONDS = 7 * 24 * 3600;
const UNREACHABLE = "The run queue cannot be reached";
/** A request waits for these sends. */
const RETRIES = { maxTries: 3, retryDelayInMs: 200, maxRetryDelayInMs: 1_000, tryTimeoutInMs: 5_000 };

/** Nothing is loaded or connected until something is sent. */
export function storageQueue({ storage, queueName }: AzureSettings, clock: Clock): WakeUpQueue {
  const connect = once(async () => connectTo(storage));
  let opened: Promise<QueueClient> | undefined;
  return {
    outlivesProcess: () => storage.connectionString !== undefined || storage.queueServiceUri !== undefined,
    check: async () => void (await connect()),
    names: () => ({ system: "azure_queue_storage", destination: queueName }),
    depth: async (signal) => {
      const service = await connect();
      const [messages, deadLetters] = await Promise.all(
        [queueName, `${queueName}-poison`].map(async (name) => depthOf(service, name, signal)),
      );
      return { messages: messages ?? 0, deadLetters };
    },
    send: async (wakeUp, options = {}) => {
      const message = JSON.stringify(messageOf(wakeUp, options));
      try {
        const queue = await (opened ??= openQueue(await connect(), queueName));
        await queue.sendMessage(Buffer.from(message).toString("base64"), {
          visibilityTimeout: delaySeconds(options.notBefore, clock.now(), MAX_DELAY_SECONDS),
          messageTimeToLive: -1, // it must be longer than the delay, and is seven days by default
        });
      } catch (error) {
        opened = undefined; // somebody may have deleted the queue
        if (error instanceof AppError) throw error;
        throw new AppError("unavailable", UNREACHABLE, { cause: error });
      }
    },
  };
}

/** The host makes the poison queue, and we the other one, when there is something to put into it. */
async function depthOf(service: QueueServiceClient, name: string, abortSignal: AbortSignal): Promise<number> {
  try {
    const { approximateMessagesCount = 0 } = await service
      .getQueueClient(name)
      .getProperties({ abortSignal });
    return approximateMessagesCount;
  } catch (error) {
    if (error instanceof Error && "statusCode" in error && error.statusCode === 404) return 0;
    throw new AppError("unavailable", UNREACHABLE, { cause: error });
  }
}

/** Makes the queue where it is missing; the host's trigger only waits for one. */
async function openQueue(service: QueueServiceClient, name: string): Promise<QueueClient> {
  const queue = service.getQueueClient(name);
  await queue.createIfNotExists();
  return queue;
}

async function connectTo(storage: StorageSettings): Promise<QueueServiceClient> {
  const { connectionString, queueServiceUri } = storage;
  if (connectionString === undefined && queueServiceUri === undefined) {
    throw new AppError(
      "unavailable",
      "Background runs need the setting AzureWebJobsStorage (or AzureWebJobsStorage__queueServiceUri, or AzureWebJobsStorage__accountName)",
    );
  }
  const { QueueServiceClient } = await import("@azure/storage-queue").catch(missing("@azure/storage-queue"));
  const options = { retryOptions: RETRIES };
  if (connectionString !== undefined)
    return QueueServiceClient.fromConnectionString(connectionString, options);
  const { ManagedIdentityCredential } = await import("@azure/identity").catch(missing("@azure/identity"));
  const { clientId } = storage;
  const credential = new ManagedIdentityCredential(clientId === undefined ? {} : { clientId });
  return new QueueServiceClient(queueServiceUri ?? "", credential, options);
}

function missing(name: string): (cause: unknown) => never {
  return (cause) => {
    throw new AppError("unavailable", `Background runs need the package ${name}: npm install ${name}`, {
      cause,
    });
  };
}
