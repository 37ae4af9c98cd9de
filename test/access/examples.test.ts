/** The set-ups beside or inside a server of the user's own, as the README shows them. */

import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { Client } from "@langchain/langgraph-sdk";
import { afterEach, expect, test } from "vitest";
import { jwt, type GraphOptions } from "langgraph-functions";
import { embeddedServer } from "../../docs/examples/embedded.ts";
import { serverWithSidecar } from "../../docs/examples/sidecar.ts";
import { testDatabase } from "../support/database.ts";
import { counter, gated, shout } from "../support/graphs.ts";
import { startServer } from "../support/server.ts";
import { TOKEN_SECRET, tokenOf } from "../support/tokens.ts";

const key = new TextEncoder().encode(TOKEN_SECRET);

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).toReversed()) await one[Symbol.asyncDispose]();
});

async function clientAs(sub: string, origin: string): Promise<Client> {
  const defaultHeaders = { authorization: `Bearer ${await tokenOf(sub)}` };
  return new Client({ apiUrl: `${origin}/api`, defaultHeaders, callerOptions: { maxRetries: 0 } });
}

type SetUp = (graphs: readonly GraphOptions[]) => Promise<string>;

/** Starts each with these graphs. @returns its origin */
const SET_UPS: readonly (readonly [name: string, start: SetUp])[] = [
  [
    "embedded",
    async (graphs) => {
      const database = await testDatabase();
      const before = process.env["DATABASE_URL"];
      process.env["DATABASE_URL"] = database.url;
      const server = embeddedServer({ graphs, secret: key });
      const origin = await server.listen({ port: 0, host: "127.0.0.1" });
      opened.push(database, {
        [Symbol.asyncDispose]: async () => {
          if (before === undefined) delete process.env["DATABASE_URL"];
          else process.env["DATABASE_URL"] = before;
          await server.close();
        },
      });
      return origin;
    },
  ],
  [
    "sidecar",
    async (graphs) => {
      const agents = await startServer({ auth: jwt({ secret: TOKEN_SECRET }), graphs });
      const server = serverWithSidecar(new URL(agents.url).origin);
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      opened.push(agents, {
        [Symbol.asyncDispose]: async () => {
          server.closeAllConnections();
          await new Promise((done) => server.close(done));
        },
      });
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on a port
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    },
  ],
];

for (const [name, start] of SET_UPS) {
  test(`${name}: callers come with the token of the server around, and have things of their own`, async () => {
    const origin = await start([{ name: "counter", graph: counter }]);
    const [ada, bob] = await Promise.all(["ada", "bob"].map(async (sub) => clientAs(sub, origin)));
    const { thread_id = "" } = (await ada?.threads.create()) ?? {};
    const input = { messages: [{ role: "user", content: "hello" }] };
    expect(await ada?.runs.wait(thread_id, "counter", { input })).toMatchObject({
      messages: [{ content: "hello" }, { content: "message 1" }],
    });
    await expect(bob?.threads.getState(thread_id)).rejects.toThrow("404");
    expect(await bob?.threads.search()).toEqual([]);
    for (const headers of [{}, { authorization: "Bearer rubbish" }])
      expect((await fetch(`${origin}/api/threads/${thread_id}`, { headers })).status).toBe(401);
  });

  test(`${name}: a stream comes through event by event`, async () => {
    const { graph, open, entered } = gated();
    const origin = await start([{ name: "gated", graph }]);
    const client = await clientAs("ada", origin);
    const parts = client.runs.stream(null, "gated", { input: { text: "now" }, streamMode: ["values"] });
    const seen: unknown[] = [];
    for await (const { event, data } of parts) {
      seen.push([event, data]);
      if (event !== "values" || seen.length > 2) continue;
      await entered; // the input was streamed while the graph's only step still waits
      open();
    }
    expect(seen.slice(1)).toEqual([
      ["values", { text: "now" }],
      ["values", { text: "now after all" }],
    ]);
  });

  test(`${name}: a client that leaves is noticed`, async () => {
    const { graph, entered, open } = gated();
    const origin = await start([{ name: "gated", graph }]);
    const client = await clientAs("ada", origin);
    const { thread_id } = await client.threads.create();
    const leaving = new AbortController();
    const parts = client.runs.stream(thread_id, "gated", {
      input: { text: "now" },
      onDisconnect: "cancel",
      signal: leaving.signal,
    });
    const reading = (async () => {
      for await (const _ of parts) continue;
    })().catch(() => undefined);
    await entered;
    leaving.abort();
    await expect
      .poll(async () => (await client.runs.list(thread_id))[0]?.status, { timeout: 20_000 })
      .toBe("interrupted");
    open();
    await reading;
  });
}

test("embedded: the routes of the server around are as they were", async () => {
  const [embedded] = SET_UPS;
  const origin = await embedded?.[1]([{ name: "shout", graph: shout }]);
  const headers = { authorization: `Bearer ${await tokenOf("ada")}` };
  expect(await (await fetch(`${origin}/me`, { headers })).json()).toEqual({ userId: "ada" });
});
