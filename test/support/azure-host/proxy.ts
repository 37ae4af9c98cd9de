/** How the host streams a request to the worker's own HTTP server and the response back. */
import { once } from "node:events";
import http from "node:http";

const hopByHop = new Set([
  "connection",
  "keep-alive",
  "transfer-encoding",
  "upgrade",
  "proxy-connection",
  "te",
]);

/** Resolves to the free port that it found. */
export async function listen(server: http.Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port");
  return address.port;
}

export interface Upstream {
  readonly uri: string;
  readonly agent: http.Agent;
}

/** A side that breaks off breaks off the other; a side that does not read is not read from. */
export function forward(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  { uri, agent, invocationId }: Upstream & { readonly invocationId: string },
): void {
  const upstream = http.request({
    agent,
    host: "127.0.0.1",
    port: new URL(uri).port,
    method: request.method,
    path: request.url,
    setHost: false,
    headers: {
      ...withoutHopByHop(request.headers),
      connection: "keep-alive", // else the worker ends it under an upload that it has answered already
      "x-forwarded-host": request.headers.host,
      "x-forwarded-proto": "http",
      "x-forwarded-for": request.socket.remoteAddress,
      "x-ms-invocation-id": invocationId,
    },
  });
  request.pipe(upstream);
  response.once("close", () => {
    if (!response.writableFinished) upstream.destroy();
  });
  upstream.on("error", () => fail(response));
  upstream.on("response", (answer) => {
    response.writeHead(answer.statusCode ?? 502, withoutHopByHop(answer.headers));
    response.flushHeaders();
    answer.pipe(response);
    answer.on("error", () => fail(response));
    answer.once("close", () => {
      if (!answer.complete) fail(response);
      if (!request.readableEnded) abandonUpload(request, upstream);
    });
  });
}

/** The answer came before the whole request was sent: what is left of that goes nowhere. */
function abandonUpload(request: http.IncomingMessage, upstream: http.ClientRequest): void {
  request.unpipe(upstream);
  request.resume();
  upstream.destroy();
}

function fail(response: http.ServerResponse): void {
  if (response.headersSent) response.destroy();
  else response.writeHead(502).end();
}

function withoutHopByHop(headers: http.IncomingHttpHeaders): http.OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !hopByHop.has(name)));
}
