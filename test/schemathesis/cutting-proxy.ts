import { once } from "node:events";
import { createServer, request as ask, type IncomingMessage, type ServerResponse } from "node:http";

/** Longer than any answer takes that is not a stream's. */
const STREAM_MS = 500;

/** A way to a server on which event streams end after a while, as a client that waits for their ends would wait for ever. */
export async function cuttingProxy(target: string): Promise<AsyncDisposable & { readonly url: string }> {
  const goal = new URL(target);
  const server = createServer((request, response) => carry(goal, request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}${goal.pathname}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function carry({ hostname, port }: URL, request: IncomingMessage, response: ServerResponse): void {
  const { method, url, rawHeaders } = request;
  const onward = ask({ hostname, port, method, path: url, headers: rawHeaders }, (answer) => {
    const { statusCode = 500, rawHeaders } = answer;
    response.writeHead(statusCode, rawHeaders);
    answer.pipe(response);
    answer.on("error", () => response.destroy());
    if (answer.headers["content-type"] !== "text/event-stream") return;
    const timer = setTimeout(() => {
      answer.unpipe(response);
      response.end();
      onward.destroy();
    }, STREAM_MS);
    answer.on("close", () => clearTimeout(timer));
  });
  onward.on("error", () => response.destroy());
  request.pipe(onward);
}
