import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { countConnection } from "../bench/wire.ts";

/** A way to Postgres on which the statements that go over it are written down, in the order in which they were sent. */
export interface Watched extends AsyncDisposable {
  readonly url: string;
  readonly statements: string[];
}

export async function watchStatements(target: string): Promise<Watched> {
  const { hostname, port } = new URL(target);
  const statements: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((inner) => {
    const outer = connect(Number(port), hostname);
    const { client } = countConnection(() => ({ roundTrips: 0, connections: 0, statements }));
    inner.on("data", (chunk) => client.read(Buffer.from(chunk)));
    for (const socket of [inner, outer]) sockets.add(socket.on("error", () => undefined));
    inner.pipe(outer).pipe(inner);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const url = new URL(target);
  url.port = typeof address === "object" && address !== null ? String(address.port) : "";
  return {
    url: url.href,
    statements,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
