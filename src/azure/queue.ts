/** Wakes workers through a queue of Azure Storage, which the host's queue trigger reads. */

import type { QueueClient, QueueServiceClient } from "@azure/storage-queue";
import { z } from "zod";
import type { Clock } from "../clock.ts";
import type { RunQueue } from "../core/ports.ts";
import { AppError } from "../errors.ts";
import type { AzureSettings, StorageSettings } from "../settings.ts";

/** The longest that Azure hides a message; what is due later is sent again on the way. */
const MAX_DELAY_SECONDS = 7 * 24 * 3600;
/** A request waits for these sends. */
const RETRIES = { maxTries: 3, retryDelayInMs: 200, maxRetryDelayInMs: 1_000, tryTimeoutInMs: 5_000 };

const WakeUp = z.object({ run_id: z.guid(), not_before: z.coerce.date().optional() });
export type WakeUp = z.output<typeof WakeUp>;

/** Null for what is no message of ours. The host has decoded base64, and JSON where it was any. */
export function readWakeUp(entry: unknown): WakeUp | null {
  return WakeUp.safeParse(entry).data ?? null;
}

/** Nothing is loaded or connected until something is sent. */
export function storageQueue({ storage, queueName }: AzureSettings, clock: Clock): RunQueue {
  let opened: Promise<QueueClient> | undefined;
  return {
    send: async (run_id, { notBefore } = {}) => {
      const message = JSON.stringify({ run_id, not_before: notBefore });
      try {
        const queue = await (opened ??= openQueue(storage, queueName));
        await queue.sendMessage(Buffer.from(message).toString("base64"), {
          visibilityTimeout: delaySeconds(notBefore, clock.now()),
          messageTimeToLive: -1, // it must be longer than the delay, and is seven days by default
        });
      } catch (error) {
        opened = undefined; // somebody may have deleted the queue
        if (error instanceof AppError) throw error;
        throw new AppError("unavailable", "The run queue cannot be reached", { cause: error });
      }
    },
  };
}

function delaySeconds(notBefore: Date | undefined, now: Date): number {
  const delayMs = notBefore === undefined ? 0 : notBefore.getTime() - now.getTime();
  return Math.min(Math.max(0, Math.ceil(delayMs / 1000)), MAX_DELAY_SECONDS);
}

/** Makes the queue where it is missing; the host's trigger only waits for one. */
async function openQueue(storage: StorageSettings, name: string): Promise<QueueClient> {
  const queue = (await openService(storage)).getQueueClient(name);
  await queue.createIfNotExists();
  return queue;
}

async function openService(storage: StorageSettings): Promise<QueueServiceClient> {
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
