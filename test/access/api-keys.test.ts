/** Callers who show a key of the server's own. */

import { Client } from "@langchain/langgraph-sdk";
import { afterAll, beforeAll, expect, test } from "vitest";
import { apiKeys } from "langgraph-functions";
import { openKeyRing, type KeyRing } from "../../src/api-keys.ts";
import { readSettings } from "../../src/settings.ts";
import { shout } from "../support/graphs.ts";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let ring: KeyRing;

beforeAll(async () => {
  server = await startServer({ auth: apiKeys(), graphs: [{ name: "shout", graph: shout }] });
  ring = openKeyRing(readSettings({ DATABASE_URL: server.database.url }));
});

afterAll(async () => {
  await ring[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

async function statusOf(key: string | undefined): Promise<number> {
  const headers = {
    "content-type": "application/json",
    ...(key === undefined ? {} : { "x-api-key": key }),
  };
  return (await server.post("/graphs/shout/invoke", { input: { text: "a" } }, { headers })).status;
}

test("a key lets in, and the official client shows it", async () => {
  const { key } = await ring.create({ identity: "ada" });
  expect(await statusOf(key)).toBe(200);
  const client = new Client({ apiUrl: server.url, apiKey: key });
  expect(await client.runs.wait(null, "shout", { input: { text: "a" } })).toEqual({ text: "a!" });
});

test("no key, and what is no key of ours, lets nobody in", async () => {
  const { key } = await ring.create({ identity: "ada" });
  const [, id] = key.split("_");
  const wrong = [
    undefined,
    "",
    "rubbish",
    `${key}x`,
    key.slice(0, -1),
    `lgf_${id}_${"A".repeat(43)}`,
    `lgf_0000000000000000_${key.slice(-43)}`,
  ];
  for (const one of wrong) expect([one, await statusOf(one)]).toEqual([one, 401]);
});

test("a key that has expired lets nobody in", async () => {
  const { key, record } = await ring.create({ identity: "ada", expiresInDays: 1 });
  await server.database.query(
    `update langgraph.api_keys set expires_at = now() where key_id = '${record.key_id}'`,
  );
  expect(await statusOf(key)).toBe(401);
});

test("a key that was revoked lets nobody in, on an instance that has not seen it", async () => {
  const { key, record } = await ring.create({ identity: "ada" });
  await ring.revoke(record.key_id);
  expect(await statusOf(key)).toBe(401);
  await expect(ring.revoke(record.key_id)).rejects.toThrow("There is no key");
});

test("the database has nothing that opens anything", async () => {
  const { key } = await ring.create({ identity: "ada" });
  const rows = await server.database.query("select to_jsonb(k) as stored from langgraph.api_keys k");
  expect(JSON.stringify(rows)).not.toContain(key.slice(-43));
});

test("what callers make belongs to the identity of their key, whichever key it is", async () => {
  const [first, second, other] = await Promise.all(
    ["ada", "ada", "bob"].map(async (identity) => {
      const { key } = await ring.create({ identity });
      return new Client({ apiUrl: server.url, apiKey: key, callerOptions: { maxRetries: 0 } });
    }),
  );
  const thread = await first?.threads.create();
  expect(await second?.threads.get(thread?.thread_id ?? "")).toMatchObject({ thread_id: thread?.thread_id });
  await expect(other?.threads.get(thread?.thread_id ?? "")).rejects.toThrow("404");
});
