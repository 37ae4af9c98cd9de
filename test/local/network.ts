/** What stands at the other end of a program's connections. */

import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";

export async function freePort(): Promise<number> {
  await using server = await listenAnywhere();
  return server.port;
}

/** Takes a port and answers nothing. */
export async function listenAnywhere(): Promise<{ readonly port: number } & AsyncDisposable> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: portOf(server.address()), [Symbol.asyncDispose]: async () => void server.close() };
}

/** A way to a server that lets nobody through until it is opened. */
export interface Gate extends AsyncDisposable {
  readonly port: number;
  /** Resolves when somebody waits before it. */
  readonly reached: Promise<unknown>;
  readonly open: () => void;
  /** Sends away who waits, and who comes. */
  readonly shut: () => void;
}

export async function gateTo({ hostname, port }: URL): Promise<Gate> {
  let decide: (isOpen: boolean) => void = () => undefined;
  const decision = new Promise<boolean>((resolve) => (decide = resolve));
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    void decision.then((isOpen) => {
      if (!isOpen) return socket.destroy();
      const onward = connect(Number(port), hostname).on("error", () => socket.destroy());
      return socket.pipe(onward).pipe(socket);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: portOf(server.address()),
    reached: once(server, "connection"),
    open: () => decide(true),
    shut: () => decide(false),
    [Symbol.asyncDispose]: async () => {
      decide(false);
      server.close();
    },
  };
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === "string")
    throw new Error("The server does not listen on a port");
  return address.port;
}

/** A connection over which requests go out as they are written. */
export interface Connection {
  readonly send: (text: string) => void;
  /** Resolves when the text has come. */
  readonly until: (text: string) => Promise<void>;
  /** All that has come, when the other side has closed. */
  readonly closed: Promise<string>;
}

/** @throws Error `ECONNREFUSED` when nobody listens */
export async function openConnection(port: number): Promise<Connection> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  let received = "";
  socket.setEncoding("utf8").on("data", (more: string) => (received += more));
  return {
    send: (text) => void socket.write(text),
    until: async (text) => {
      while (!received.includes(text)) await once(socket, "data");
    },
    closed: once(socket, "close").then(() => received),
  };
}

/** Asks for the health; resolves when the server has taken the request, which need not be answered yet. */
export async function askHealth(port: number): Promise<Connection> {
  const connection = await openConnection(port);
  connection.send(
    "GET /api/health HTTP/1.1\r\nhost: here\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n",
  );
  await connection.until("HTTP/1.1 100 Continue\r\n");
  return connection;
}
