import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { vi } from "vitest";
import { z } from "zod";

/** A request that the receiver was sent. */
export interface Received {
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The text as a JSON object. */
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Receiver extends AsyncDisposable {
  /** Without a path: `http://127.0.0.1:12345`. */
  readonly url: string;
  readonly received: readonly Received[];
  /** All that has come, once there are so many. */
  readonly after: (count: number) => Promise<readonly Received[]>;
}

interface ReceiverOptions {
  /** Of each answer in turn; the last one goes on. */
  readonly statuses?: readonly number[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly port?: number;
}

/** A real HTTP server that takes webhooks. */
export async function startReceiver({
  statuses = [204],
  headers,
  port = 0,
}: ReceiverOptions = {}): Promise<Receiver> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const text = (await request.setEncoding("utf8").toArray()).join("");
      const body = z.record(z.string(), z.unknown()).parse(JSON.parse(text));
      received.push({ method: request.method, path: request.url, headers: request.headers, text, body });
      response.writeHead(statuses[received.length - 1] ?? statuses.at(-1) ?? 204, headers).end();
    })();
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`,
    received,
    after: async (count) =>
      vi.waitFor(
        () => {
          if (received.length < count) throw new Error(`${received.length} of ${count} webhooks have come`);
          return [...received];
        },
        { timeout: 10_000, interval: 10 },
      ),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
