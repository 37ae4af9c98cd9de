/** Azure Storage's queues, as Azurite emulates them, in this process and in its memory alone. */

import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { QueueServiceClient } from "@azure/storage-queue";

const require = createRequire(import.meta.url);
// Azurite exports neither; its version is pinned.
const { default: QueueServer } = require("azurite/dist/src/queue/QueueServer");
const { default: QueueConfiguration } = require("azurite/dist/src/queue/QueueConfiguration");

/** The emulator's only account, with the key that everybody knows. */
const ACCOUNT = "devstoreaccount1";
const KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

export interface StorageMessage {
  /** Decoded, as the Functions host hands it to a worker. */
  readonly text: string;
  readonly dequeueCount: number;
  readonly remove: () => Promise<void>;
}

export interface Azurite extends AsyncDisposable {
  readonly connectionString: string;
  readonly send: (queueName: string, text: string) => Promise<void>;
  /** What is visible now, and then is not for the next minutes. Nothing where the queue is missing. */
  readonly receive: (queueName: string) => Promise<readonly StorageMessage[]>;
  readonly make: (queueName: string) => Promise<void>;
  readonly drop: (queueName: string) => Promise<void>;
}

export async function startAzurite(): Promise<Azurite> {
  const server = new QueueServer(
    new QueueConfiguration(
      "127.0.0.1",
      0, // any free port
      5, // keep-alive, in seconds
      `${randomUUID()}.json`, // names of databases, which are never written
      `${randomUUID()}.json`,
      [],
      false, // access log
      undefined,
      false, // debug log
      undefined,
      false, // loose
      true, // skipApiVersionCheck: the client is newer
      "",
      "",
      "",
      undefined,
      false,
      true, // isMemoryPersistence
    ),
  );
  await server.start();
  const endpoint = `${server.getHttpServerAddress()}/${ACCOUNT}`;
  const connectionString = `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${KEY};QueueEndpoint=${endpoint};`;
  const service = QueueServiceClient.fromConnectionString(connectionString);
  return {
    connectionString,
    send: async (name, text) => {
      await service.getQueueClient(name).sendMessage(Buffer.from(text).toString("base64"));
    },
    receive: async (name) => {
      const queue = service.getQueueClient(name);
      if (!(await queue.exists())) return [];
      const { receivedMessageItems } = await queue.receiveMessages({
        numberOfMessages: 32,
        visibilityTimeout: 600,
      });
      return receivedMessageItems.map(({ messageText, messageId, popReceipt, dequeueCount }) => ({
        text: Buffer.from(messageText, "base64").toString(),
        dequeueCount,
        remove: async () => void (await queue.deleteMessage(messageId, popReceipt)),
      }));
    },
    make: async (name) => void (await service.createQueue(name)),
    drop: async (name) => void (await service.deleteQueue(name)),
    [Symbol.asyncDispose]: async () => server.close(),
  };
}
