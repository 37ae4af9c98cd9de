/** Amazon SQS, as fauxqs emulates it, in this process. */

import {
  DeleteMessageCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import type { SQSEvent, SQSRecord } from "aws-lambda";
import { startFauxqs } from "fauxqs";

const REGION = "eu-central-1";

export interface Sqs extends AsyncDisposable {
  readonly queueUrl: string;
  /** What a function needs to reach the queue. */
  readonly env: Readonly<Record<string, string>>;
  readonly send: (body: string) => Promise<void>;
  /** Ten messages at most that are visible now, and then are not for the next minutes, as Lambda would hand them to a worker. */
  readonly receive: () => Promise<SQSEvent>;
  readonly remove: (record: SQSRecord) => Promise<void>;
  /** The messages that are held back. */
  readonly delayed: () => readonly string[];
  /** Those that were received too often. */
  readonly dead: () => readonly string[];
  /** Moves those back, as an operator does. */
  readonly redrive: () => Promise<void>;
}

export interface SqsOptions {
  readonly name?: string;
  /** How long a message that was received is not seen by others. */
  readonly visibilitySeconds?: number;
  /** How often a message may be received. */
  readonly maxReceiveCount?: number;
}

export async function startSqs({
  name = "langgraph-runs",
  visibilitySeconds = 600,
  maxReceiveCount = 1_000,
}: SqsOptions = {}): Promise<Sqs> {
  const server = await startFauxqs({ port: 0, logger: false, defaultRegion: REGION });
  const deadLetters = server.createQueue(`${name}-dead`, { region: REGION });
  const redrivePolicy = { deadLetterTargetArn: deadLetters.queueArn, maxReceiveCount };
  const { queueUrl, queueArn } = server.createQueue(name, {
    region: REGION,
    attributes: {
      VisibilityTimeout: String(visibilitySeconds),
      RedrivePolicy: JSON.stringify(redrivePolicy),
    },
  });
  const endpoint = `http://127.0.0.1:${server.port}`; // the queue's own URL has a name that does not resolve
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  const client = new SQSClient({ region: REGION, endpoint, credentials });
  return {
    queueUrl,
    env: {
      RUN_QUEUE_URL: queueUrl,
      AWS_ENDPOINT_URL_SQS: endpoint,
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    },
    send: async (body) =>
      void (await client.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: body }))),
    receive: async () => {
      const command = new ReceiveMessageCommand({ QueueUrl: queueUrl, MaxNumberOfMessages: 10 });
      const { Messages = [] } = await client.send(command);
      return {
        Records: Messages.map(({ MessageId = "", ReceiptHandle = "", Body = "", MD5OfBody = "" }) => ({
          messageId: MessageId,
          receiptHandle: ReceiptHandle,
          body: Body,
          md5OfBody: MD5OfBody,
          attributes: {
            ApproximateReceiveCount: "1",
            SentTimestamp: "0",
            SenderId: "test",
            ApproximateFirstReceiveTimestamp: "0",
          },
          messageAttributes: {},
          eventSource: "aws:sqs",
          eventSourceARN: queueArn,
          awsRegion: REGION,
        })),
      };
    },
    remove: async ({ receiptHandle }) =>
      void (await client.send(
        new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle: receiptHandle }),
      )),
    delayed: () => server.inspectQueue(name)?.messages.delayed.map(({ body }) => body) ?? [],
    dead: () => server.inspectQueue(`${name}-dead`)?.messages.ready.map(({ body }) => body) ?? [],
    // The emulator does not know StartMessageMoveTask, which does the same.
    redrive: async () => {
      const QueueUrl = deadLetters.queueUrl;
      const { Messages = [] } = await client.send(
        new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }),
      );
      for (const { Body, ReceiptHandle } of Messages) {
        await client.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: Body }));
        await client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
      }
    },
    [Symbol.asyncDispose]: async () => {
      client.destroy();
      await server.stop();
    },
  };
}
