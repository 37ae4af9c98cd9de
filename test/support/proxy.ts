import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** A way to a server that a test can cut and mend. */
export interface Proxy extends AsyncDisposable {
  /** The server's address, by way of the proxy. */
  readonly url: string;
  /** Breaks every connection, and lets none in any more. */
  readonly cut: () => Promise<void>;
  /** Lets connections in again, at the same address. */
  readonly mend: () => Promise<void>;
  /** Carries nothing more on the connections that there are, and tells nobody; new ones work. */
  readonly forget: () => void;
}

export async function proxyTo(target: string): Promise<Proxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const server = createServer((inner) => {
    const outer = connect(Number(port), hostname);
    for (const [socket, other] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => undefined).on("close", () => other.destroy());
      socket.on("close", () => sockets.delete(socket)).pipe(other);
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
  const mend = async (): Promise<void> => void (await listen(ownPort));
  return { url: url.href, cut, mend, forget, [Symbol.asyncDispose]: cut };
}
