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
}

export async function startSqs(name = "langgraph-runs"): Promise<Sqs> {
  const server = await startFauxqs({ port: 0, logger: false, defaultRegion: REGION });
  const { queueUrl, queueArn } = server.createQueue(name, {
    region: REGION,
    attributes: { VisibilityTimeout: "600" },
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
    [Symbol.asyncDispose]: async () => {
      client.destroy();
      await server.stop();
    },
  };
}
