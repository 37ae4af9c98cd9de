/**
 * A Function URL with `InvokeMode: RESPONSE_STREAM`: HTTP in, events of payload format 2.0 to the function, its stream out.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
 */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type http from "node:http";
import { trailingError } from "./runtime-api.ts";

const apiId = "abcdefghijklmnopqrstuvwxyz012345";
const domainName = `${apiId}.lambda-url.eu-central-1.on.aws`;
const delimiter = Buffer.alloc(8);

interface Prelude {
  readonly statusCode?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cookies?: readonly string[];
}

/** `invoke` resolves with what the function posts. */
export function functionUrl(invoke: (event: unknown) => Promise<http.IncomingMessage>): http.RequestListener {
  return (request, response) => {
    void serve(request, response, invoke);
  };
}

async function serve(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  invoke: (event: unknown) => Promise<http.IncomingMessage>,
): Promise<void> {
  try {
    const answer = await invoke(toEvent(request, Buffer.concat(await request.toArray())));
    await forward(answer, response);
  } catch {
    if (response.headersSent) return void response.destroy();
    response
      .writeHead(502, { "content-type": "application/json" })
      .end('{"Message":"Internal Server Error"}');
  }
}

function toEvent(request: http.IncomingMessage, body: Buffer): object {
  const url = new URL(`https://${domainName}${request.url}`);
  const { cookie, ...headers } = request.headers;
  const isText = /^(text\/|application\/(json|javascript|xml))/.test(headers["content-type"] ?? "");
  const sourceIp = request.socket.remoteAddress;
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath: url.pathname,
    rawQueryString: url.search.slice(1),
    ...(cookie === undefined ? {} : { cookies: cookie.split("; ") }),
    headers: {
      ...headers,
      host: domainName,
      "x-forwarded-for": [headers["x-forwarded-for"], sourceIp].filter(Boolean).join(","),
      "x-forwarded-port": "443",
      "x-forwarded-proto": "https",
    },
    requestContext: {
      accountId: "anonymous",
      apiId,
      domainName,
      domainPrefix: apiId,
      http: { method: request.method, path: url.pathname, protocol: "HTTP/1.1", sourceIp, userAgent: "test" },
      requestId: randomUUID(),
      routeKey: "$default",
      stage: "$default",
      time: "20/Nov/2026:12:00:00 +0000",
      timeEpoch: 1_795_176_000_000,
    },
    ...(body.length > 0 && { body: body.toString(isText ? "utf8" : "base64") }),
    isBase64Encoded: body.length > 0 && !isText,
  };
}

/** A function that reports an error after its first byte has its response broken off. */
async function forward(answer: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  const chunks: AsyncIterator<Buffer, undefined> = answer[Symbol.asyncIterator]();
  const { prelude, rest } = await readPrelude(chunks);
  sendHead(prelude, response);
  let bytes = 0;
  for (let chunk: Buffer | undefined = rest; chunk; chunk = (await chunks.next()).value) {
    bytes += chunk.length;
    // The function is never told that its client has left: it goes on, for nobody.
    if (chunk.length > 0 && !response.destroyed && !response.write(chunk)) await drained(response);
  }
  if (trailingError(answer)) throw new Error("The function failed");
  if (bytes > 0 || !hangsWhenEmpty(response, prelude)) response.end();
}

async function readPrelude(
  chunks: AsyncIterator<Buffer, undefined>,
): Promise<{ readonly prelude: Prelude; readonly rest: Buffer }> {
  let read = Buffer.alloc(0);
  for (;;) {
    const end = read.indexOf(delimiter);
    const rest = read.subarray(end + delimiter.length);
    if (end >= 0) return { prelude: JSON.parse(read.subarray(0, end).toString()), rest };
    const { value } = await chunks.next();
    if (!value) throw new Error("The function sent no prelude");
    read = Buffer.concat([read, value]);
  }
}

function sendHead(
  { statusCode = 200, headers = {}, cookies = [] }: Prelude,
  response: http.ServerResponse,
): void {
  response.writeHead(statusCode, { ...headers, ...(cookies.length > 0 && { "set-cookie": [...cookies] }) });
  response.flushHeaders();
}

/** Where chunks are announced and none comes. @see https://github.com/aws/aws-lambda-nodejs-runtime-interface-client/issues/95 */
function hangsWhenEmpty({ req, statusCode }: http.ServerResponse, { headers = {} }: Prelude): boolean {
  return req.method !== "HEAD" && statusCode !== 204 && statusCode !== 304 && !("content-length" in headers);
}

async function drained(response: http.ServerResponse): Promise<void> {
  const listening = new AbortController();
  const { signal } = listening;
  await Promise.race([once(response, "drain", { signal }), once(response, "close", { signal })]);
  listening.abort();
}
