/** The events of AWS Lambda and their answers: only what is read or written here. `test/aws` holds them to `@types/aws-lambda`. */

/** Payload format 2.0: Function URLs and HTTP APIs. */
export interface HttpEventV2 {
  readonly version: string;
  readonly rawPath: string;
  readonly rawQueryString: string;
  readonly cookies?: readonly string[] | undefined;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly requestContext: {
    readonly domainName: string;
    readonly stage: string;
    readonly http: { readonly method: string; readonly sourceIp: string };
  };
  readonly body?: string | undefined;
  readonly isBase64Encoded: boolean;
}

/** Payload format 1.0: REST APIs, HTTP APIs and, with some fields less, load balancers. */
export interface HttpEventV1 {
  readonly version?: string | undefined; // HTTP APIs only
  readonly httpMethod: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | undefined>> | null | undefined;
  readonly multiValueHeaders?: Readonly<Record<string, readonly string[] | undefined>> | null | undefined;
  readonly queryStringParameters?: Readonly<Record<string, string | undefined>> | null | undefined;
  readonly multiValueQueryStringParameters?:
    Readonly<Record<string, readonly string[] | undefined>> | null | undefined;
  readonly requestContext: {
    readonly domainName?: string | undefined;
    readonly stage?: string | undefined;
    readonly identity?: { readonly sourceIp: string };
    /** Load balancers only. */
    readonly elb?: object;
  };
  readonly body: string | null;
  readonly isBase64Encoded: boolean;
}

export type HttpEvent = HttpEventV1 | HttpEventV2;

export interface HttpResultV2 {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly cookies: string[];
  readonly body: string;
  readonly isBase64Encoded: boolean;
}

export interface HttpResultV1 {
  readonly statusCode: number;
  readonly headers?: Record<string, string>;
  readonly multiValueHeaders?: Record<string, string[]>;
  readonly body: string;
  readonly isBase64Encoded: boolean;
}

export type HttpResult = HttpResultV1 | HttpResultV2;

/** A batch of messages of SQS. */
export interface QueueEvent {
  readonly Records: readonly { readonly messageId: string; readonly body: string }[];
}

/** The messages to deliver again; the event source mapping must be set to `ReportBatchItemFailures`. */
export interface QueueResult {
  readonly batchItemFailures: { itemIdentifier: string }[];
}

export interface LambdaContext {
  /** In the logs of Lambda; every runtime gives it. */
  readonly awsRequestId?: string;
  readonly getRemainingTimeInMillis: () => number;
}

export function isVersion2(event: HttpEvent): event is HttpEventV2 {
  return "rawPath" in event;
}

/** @throws TypeError for what no HTTP front sends: a test event of the console, a message of a queue. */
export function assertHttpEvent(event: unknown): asserts event is HttpEvent {
  const isObject = typeof event === "object" && event !== null;
  if (isObject && "requestContext" in event && ("rawPath" in event || "httpMethod" in event)) return;
  throw new TypeError("This handler takes the HTTP events of a Function URL, API Gateway or a load balancer");
}

/** @throws TypeError for what is no batch of SQS. */
export function assertQueueEvent(event: unknown): asserts event is QueueEvent {
  const isObject = typeof event === "object" && event !== null;
  if (isObject && "Records" in event && Array.isArray(event.Records)) return;
  throw new TypeError("This handler takes the batches of an SQS queue");
}
