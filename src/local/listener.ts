/** The HTTP server: listens before there is anything to serve, so that a taken port is known before anything starts. */

import { once } from "node:events";
import { createServer, type RequestListener, type ServerResponse } from "node:http";
import type { Doors } from "../core/model.ts";
import type { LocalSettings } from "../host-settings.ts";
import { grantedLevel } from "../keys.ts";
import { nodeListener } from "../node-listener.ts";

/** Disposing of it waits until what is open has been answered. */
export interface Listener extends AsyncDisposable {
  readonly origin: string;
  /** Answers the requests that have been waiting, and those that come. */
  readonly serve: (doors: Doors) => void;
  /** From now on no connection is taken, and what still comes on an open one is refused. */
  readonly refuse: () => void;
}

/** How long a client may take to read the last answer, or to finish the request that it is sending. */
const GRACE_MS = 5_000;

/** @throws Error that says what to do when the port is taken */
export async function listen({ port, host, keys }: LocalSettings): Promise<Listener> {
  let decide: (doors: Doors | undefined) => void = () => undefined;
  let doors = new Promise<Doors | undefined>((resolve) => (decide = resolve));
  let closed: Promise<unknown> | undefined;
  const unanswered = new Set<ServerResponse>();
  const server = createServer(requestListener(async () => doors, keys));
  server.on("request", (_, response: ServerResponse) => {
    unanswered.add(response);
    response.once("close", () => {
      unanswered.delete(response);
      if (closed !== undefined) server.closeIdleConnections(); // Node would keep it, and with it the server
    });
  });
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (error) {
    const isTaken = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
    if (!isTaken) throw new Error(`Cannot listen on ${host}:${port}: ${String(error)}`, { cause: error });
    throw new Error(
      `Port ${port} is taken. Stop what uses it, or choose another one: PORT=${port + 1} npm start`,
      { cause: error },
    );
  }
  const address = server.address();
  const actualPort = typeof address === "object" && address !== null ? address.port : port;
  const name = host.includes(":") ? `[${host}]` : host;
  return {
    origin: `http://${name}:${actualPort}`,
    serve: (doors) => decide(doors),
    refuse: () => {
      decide(undefined);
      doors = Promise.resolve(undefined);
      for (const response of unanswered) response.shouldKeepAlive = false;
      closed ??= new Promise((done) => server.close(done));
    },
    [Symbol.asyncDispose]: async () => {
      AbortSignal.timeout(GRACE_MS).addEventListener("abort", () => server.closeAllConnections());
      await closed;
    },
  };
}

/** Whether only this machine reaches a server that listens there. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}

function requestListener(
  doors: () => Promise<Doors | undefined>,
  keys: LocalSettings["keys"],
): RequestListener {
  return nodeListener(async (request, { socket: { remoteAddress } }) => {
    const open = await doors();
    if (open === undefined) return refusal();
    return open.fetch(request, {
      signal: request.signal,
      authLevel: grantedLevel(keys, request),
      isKeyVerified: keys.function !== undefined || keys.admin !== undefined,
      ...(remoteAddress === undefined ? {} : { address: remoteAddress }),
    });
  });
}

/** The same words as the app's own. */
function refusal(): Response {
  const body = { error: "unavailable", detail: "The server is stopping" };
  return Response.json(body, { status: 503, headers: { "retry-after": "5", connection: "close" } });
}
