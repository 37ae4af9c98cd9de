import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** A way to a server that a test can cut and mend. */
export interface Proxy extends AsyncDisposable {
  /** The server's address, by way of the proxy. */
  readonly url: string;
  /** Breaks every connection, and lets none in any more. */
  readonly cut: () => Promise<void>;
  /** Lets connections in again, at the same address; those that were swallowed stay dead. */
  readonly mend: () => Promise<void>;
  /** How often clients have sent something; that they end a connection does not count. */
  readonly asked: () => number;
  /** Lets connections be, old ones and new ones, and carries nothing for them, as a network that loses every packet. */
  readonly swallow: () => void;
  /** Sends new connections to another server. */
  readonly pointTo: (target: string) => void;
  /** Carries nothing more on the connections that there are, and tells nobody; new ones work. */
  readonly forget: () => void;
}

/** With which a client of Postgres takes its leave. */
const TERMINATE = Buffer.from([0x58, 0, 0, 0, 4]);

export async function proxyTo(target: string): Promise<Proxy> {
  let goal = new URL(target);
  let isSwallowing = false;
  const sockets = new Set<Socket>();
  let asked = 0;
  const server = createServer((inner) => {
    inner.on("data", (chunk: Buffer) => (asked += chunk.equals(TERMINATE) ? 0 : 1));
    const outer = connect(Number(goal.port), goal.hostname);
    for (const [socket, other] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => undefined).on("close", () => other.destroy());
      socket.on("close", () => sockets.delete(socket));
      if (isSwallowing) socket.resume();
      else socket.pipe(other);
    }
  });
  const listen = async (at: number): Promise<number> => {
    server.listen(at, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : at;
  };
  const cut = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  const forget = (): void => {
    for (const socket of sockets) socket.unpipe().pause();
  };
  const url = new URL(target);
  const ownPort = await listen(0);
  url.port = String(ownPort);
  return {
    url: url.href,
    cut,
    mend: async () => {
      isSwallowing = false;
      if (!server.listening) await listen(ownPort);
    },
    swallow: () => {
      isSwallowing = true;
      for (const socket of sockets) socket.unpipe().resume();
    },
    pointTo: (other) => (goal = new URL(other)),
    forget,
    asked: () => asked,
    [Symbol.asyncDispose]: cut,
  };
}
