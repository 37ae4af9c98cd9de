/**
 * Agents as a service of their own, beside a server that you have already: it proxies `/api`, and passes streams through
 * as they come. Who calls is told by the token, which both check.
 */

import {
  request as send,
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
} from "node:http";
import { pipeline } from "node:stream";

/** Of one hop only, and not to be passed on. @see RFC 9110, section 7.6.1 */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** A server of your own with a route of its own; what begins with `/api/` goes to `agents`, an address like `http://127.0.0.1:7071`. */
export function serverWithSidecar(agents: string): Server {
  return createServer((incoming, outgoing) => {
    if (incoming.url?.startsWith("/api/") === true) proxy(agents, incoming, outgoing);
    else outgoing.end("a page of your own");
  });
}

function proxy(agents: string, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const headers = { ...incoming.headers, "x-forwarded-for": incoming.socket.remoteAddress ?? "" };
  const onward = send(new URL(incoming.url ?? "/", agents), {
    method: incoming.method ?? "GET",
    headers: withoutHopByHop(headers),
  });
  onward.on("response", (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, withoutHopByHop(answer.headers));
    outgoing.flushHeaders(); // clients of a stream wait for them
    // Ends what it reads when the client leaves, and breaks off where the answer does: clients take it up again.
    pipeline(answer, outgoing, () => undefined);
  });
  onward.on("error", () => {
    if (outgoing.headersSent) outgoing.destroy();
    else outgoing.writeHead(502).end();
  });
  outgoing.on("close", () => onward.destroy());
  incoming.pipe(onward);
}

function withoutHopByHop(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name)));
}
