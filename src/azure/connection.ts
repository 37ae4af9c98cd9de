/**
 * The client's side of an HTTP invocation. `@azure/functions` says nothing of a client that left, and ignores one that
 * does not read, so Node's own diagnostics show us the requests that reach its local proxy server.
 * @see https://github.com/Azure/azure-functions-nodejs-library/issues/273
 */
import { subscribe } from "node:diagnostics_channel";
import type { IncomingMessage, ServerResponse } from "node:http";
import { setImmediate } from "node:timers/promises";

const open = new Map<string, Connection>();
let isWatching = false;
let isStreaming = false;

/** Call it once, before the first request. */
export function watchConnections(): void {
  if (isWatching) return;
  isWatching = true;
  subscribe("http.server.request.start", (message) => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- so documented for this channel
    const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
    const invocationId = request.headers["x-ms-invocation-id"];
    if (typeof invocationId !== "string" || open.has(invocationId)) return;
    isStreaming = true;
    const connection = new Connection(response);
    open.set(invocationId, connection);
    void connection.closed.then(() => open.delete(invocationId));
  });
}

/**
 * The connection whose request became this invocation; undefined when its client has left already.
 * @throws if the host streams no requests to us at all: then the app holds two copies of `@azure/functions`.
 */
export function connectionOf(invocationId: string): Connection | undefined {
  if (!isStreaming) throw new Error("HTTP streaming is off; is @azure/functions installed twice?");
  return open.get(invocationId);
}

export class Connection {
  /** Resolves when the response was sent, the client left, or we cut it. */
  readonly closed: Promise<void>;
  readonly #response: ServerResponse;
  #isCut = false;
  #wake: () => void = () => undefined;

  constructor(response: ServerResponse) {
    this.#response = response;
    this.closed = new Promise((resolve) => response.once("close", resolve));
    response.on("drain", () => this.#wake());
    response.once("close", () => this.#wake());
  }

  /** The client went away before it had the whole response. A cut of ours does not count. */
  get hasLeft(): boolean {
    return this.#response.closed && !this.#response.writableFinished && !this.#isCut;
  }

  /** The library's own loop over the headers keeps only the last cookie; these it leaves alone. */
  setCookies(cookies: string[]): void {
    if (cookies.length > 0) this.#response.setHeader("set-cookie", cookies);
  }

  sendHeaders(): void {
    if (!this.#response.headersSent) this.#response.flushHeaders();
  }

  /** Resolves when the client has room for more, or the connection is closed. */
  drained(): Promise<void> {
    if (!this.#response.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Ends the response as complete. */
  end(): void {
    this.#response.end();
  }

  /** Ends the response as broken, which the client can tell; what was written in this turn still leaves. */
  async cut(): Promise<void> {
    await setImmediate();
    if (this.#response.closed) return;
    this.#isCut = true;
    this.#response.destroy();
  }
}
