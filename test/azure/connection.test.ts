import { once } from "node:events";
import http from "node:http";
import { expect, test } from "vitest";
import { connectionOf, watchConnections } from "../../src/azure/connection.ts";
import { listen } from "../support/azure-host/proxy.ts";

async function serve() {
  const server = http.createServer();
  const port = await listen(server);
  return {
    /** The server's side of a request that stays unanswered until the test answers it. */
    request: async (headers: http.OutgoingHttpHeaders) => {
      const client = http.get({ port, headers }).on("error", () => undefined);
      const response: http.ServerResponse = (await once(server, "request"))[1];
      return { client, response };
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

test("an invocation without streaming says what is wrong", () => {
  watchConnections();
  expect(() => connectionOf("any")).toThrow("is @azure/functions installed twice?");
});

test("a connection is known from its request until its response is closed, and no longer", async () => {
  watchConnections();
  await using server = await serve();
  const { response } = await server.request({ "x-ms-invocation-id": "finished" });
  const connection = connectionOf("finished");
  expect(connection).toBeDefined();

  response.end();
  await connection?.closed;
  expect(connection?.hasLeft).toBe(false);
  expect(connectionOf("finished")).toBeUndefined();
});

test("a client that left before the invocation began has no connection", async () => {
  watchConnections();
  await using server = await serve();
  const { client, response } = await server.request({ "x-ms-invocation-id": "left" });
  const connection = connectionOf("left");
  client.destroy();
  await once(response, "close");
  expect(connection?.hasLeft).toBe(true);
  expect(connectionOf("left")).toBeUndefined();
});

test("requests that are no invocations are left alone", async () => {
  watchConnections();
  await using server = await serve();
  const { response } = await server.request({ "x-other": "1" });
  expect(connectionOf("undefined")).toBeUndefined();
  expect(response.listenerCount("drain")).toBe(0);
  response.end();
});
