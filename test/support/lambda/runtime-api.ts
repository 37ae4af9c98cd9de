/**
 * The Runtime API: what the runtime inside a sandbox talks to.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 */
import { once } from "node:events";
import http from "node:http";

export interface RuntimeError {
  readonly errorType: string;
  readonly errorMessage?: string;
}

export interface NextInvocation {
  readonly requestId: string;
  readonly event: unknown;
  readonly deadline: Date;
}

/** What the runtime does, in the order in which it does it. */
export interface RuntimeListener {
  readonly onNext: (begin: (invocation: NextInvocation) => void) => void;
  /** `response.complete` is false until the whole of it has arrived. */
  readonly onResponse: (response: http.IncomingMessage) => void;
  readonly onError: (error: RuntimeError) => void;
  readonly onInitError: (error: RuntimeError) => void;
}

export interface RuntimeApi extends AsyncDisposable {
  /** For `AWS_LAMBDA_RUNTIME_API`. */
  readonly address: string;
  /** To be called before a runtime is started. */
  readonly serve: (listener: RuntimeListener) => void;
}

const root = "/2018-06-01/runtime";
const accepted = '{"status":"OK"}';

export async function startRuntimeApi(): Promise<RuntimeApi> {
  const server = http.createServer();
  server.keepAliveTimeout = 0; // a sandbox that was frozen for long goes on with the connection that it has
  server.requestTimeout = 0;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The Runtime API has no port");
  return {
    address: `127.0.0.1:${address.port}`,
    serve: (listener) => void server.on("request", runtimeListener(listener)),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function runtimeListener(listener: RuntimeListener): http.RequestListener {
  return (request, response) => {
    const accept = () => response.writeHead(202, { "content-type": "application/json" }).end(accepted);
    const path = request.url?.slice(root.length) ?? "";
    if (path === "/invocation/next") {
      listener.onNext((invocation) => answerNext(response, invocation));
    } else if (path === "/init/error") {
      void readError(request).then(listener.onInitError).then(accept);
    } else if (path.endsWith("/error")) {
      void readError(request).then(listener.onError).then(accept);
    } else {
      request.once("end", accept);
      listener.onResponse(request);
    }
  };
}

function answerNext(response: http.ServerResponse, { requestId, event, deadline }: NextInvocation): void {
  response.writeHead(200, {
    "content-type": "application/json",
    "lambda-runtime-aws-request-id": requestId,
    "lambda-runtime-deadline-ms": deadline.getTime(),
    "lambda-runtime-invoked-function-arn": "arn:aws:lambda:eu-central-1:123456789012:function:test",
    "lambda-runtime-trace-id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
  });
  response.end(JSON.stringify(event));
}

async function readError(request: http.IncomingMessage): Promise<RuntimeError> {
  return JSON.parse(Buffer.concat(await request.toArray()).toString());
}

/** What the runtime reports after the last byte of a response that failed on its way. */
export function trailingError({ trailers }: http.IncomingMessage): RuntimeError | undefined {
  const body = trailers["lambda-runtime-function-error-body"];
  return body === undefined ? undefined : JSON.parse(Buffer.from(body, "base64").toString());
}
