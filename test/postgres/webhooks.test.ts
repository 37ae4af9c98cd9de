import { LangGraphApp } from "langgraph-functions";
import { expect, test, vi } from "vitest";
import { z } from "zod";
import type { WakeUp } from "../../src/core/wake-ups.ts";
import { openDatabase } from "../../src/postgres/pool.ts";
import { webhookStore } from "../../src/postgres/webhooks.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { shout } from "../support/graphs.ts";
import { startReceiver } from "../support/receiver.ts";

const invocation = { signal: new AbortController().signal, authLevel: "admin" } as const;

/** An instance whose messages go nowhere but into a list. */
function instance({ url }: TestDatabase) {
  const app = new LangGraphApp({ webhooks: { allowPrivateAddresses: true } });
  app.register({ name: "shout", graph: shout });
  const sent: WakeUp[] = [];
  const doors = app.doors({
    settings: { database: { url, poolSize: 2, migrate: false }, logLevel: "silent" },
    queue: {
      check: async () => undefined,
      depth: async () => ({ messages: 0 }),
      send: async (wakeUp) => void sent.push(wakeUp),
      outlivesProcess: () => true,
    },
  });
  return { ...doors, sent, [Symbol.asyncDispose]: async () => app[Symbol.asyncDispose]() };
}

/** A run that has ended on an instance that died right after it: its webhook's id. */
async function endRun(database: TestDatabase, webhook: string): Promise<string> {
  await using died = instance(database);
  const response = await died.fetch(
    new Request("http://test/api/runs/wait", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ assistant_id: "shout", input: { text: "hello" }, webhook }),
    }),
    invocation,
  );
  expect(await response.json()).toEqual({ text: "hello!" });
  const [waiting] = await database.query("select webhook_id from langgraph.webhooks");
  return z.string().parse(waiting?.["webhook_id"]);
}

test("a webhook whose message was lost with its process is found by a tick", async () => {
  await using receiver = await startReceiver();
  await using database = await testDatabase();
  const webhook_id = await endRun(database, receiver.url);
  await using other = instance(database);
  await other.tick(invocation);
  expect(other.sent).toEqual([]); // its message may still be on its way
  await database.query("update langgraph.webhooks set due_at = now() - interval '1 minute'");
  await other.tick(invocation);
  expect(other.sent).toEqual([{ webhook_id }]);
  await other.work({ webhook_id }, invocation);
  expect(receiver.received).toMatchObject([{ body: { run_id: webhook_id, status: "success" } }]);
  expect(await database.query("select from langgraph.webhooks")).toEqual([]);
});

test("of many workers with the same message, one delivers", async () => {
  await using receiver = await startReceiver();
  await using database = await testDatabase();
  const webhook_id = await endRun(database, receiver.url);
  await using one = instance(database);
  await using two = instance(database);
  await Promise.all([one, two, one, two, one, two].map(async ({ work }) => work({ webhook_id }, invocation)));
  expect(receiver.received).toHaveLength(1);
  expect(await database.query("select from langgraph.webhooks")).toEqual([]);
});

test("who took too long does not undo what another one did", async () => {
  await using database = await testDatabase();
  const webhook_id = await endRun(database, "http://127.0.0.1:9/");
  await using opened = openDatabase({ url: database.url, poolSize: 2, migrate: false });
  const store = webhookStore(opened);
  const now = new Date(Date.now() + 1_000);
  const slow = await store.claim(webhook_id, now, now);
  const quick = await store.claim(webhook_id, now, new Date(now.getTime() + 60_000));
  if (slow === null || quick === null) throw new Error("Both were to get it");
  await store.delivered(slow);
  await store.failed(slow, "too late", { now, dueAt: null });
  expect(await database.query("select attempts, last_error, failed_at from langgraph.webhooks")).toEqual([
    { attempts: 2, last_error: null, failed_at: null },
  ]);
  await store.delivered(quick);
  expect(await database.query("select from langgraph.webhooks")).toEqual([]);
});

test("a retry is a delayed message, and it is not delivered before its time", async () => {
  await using receiver = await startReceiver({ statuses: [500] });
  await using database = await testDatabase();
  const webhook_id = await endRun(database, receiver.url);
  await using worker = instance(database);
  await worker.work({ webhook_id }, invocation);
  expect(worker.sent).toEqual([{ webhook_id }]);
  await worker.work({ webhook_id }, invocation); // a copy of the first message
  expect(receiver.received).toHaveLength(1);
  const [waiting] = await database.query(
    "select extract(epoch from due_at - now())::float8 as seconds from langgraph.webhooks",
  );
  expect(waiting?.["seconds"]).toBeGreaterThan(4);
  expect(waiting?.["seconds"]).toBeLessThanOrEqual(6);
});

test("deliveries that were given up are forgotten after a week", async () => {
  await using database = await testDatabase();
  await using worker = instance(database);
  await database.query(
    `insert into langgraph.webhooks (webhook_id, url, body, created_at, due_at, failed_at)
     select gen_random_uuid(), 'http://example.com', '{}', now(), now(), now() - make_interval(days => day)
     from generate_series(5, 9) day`,
  );
  await worker.tick(invocation);
  const days = "select extract(day from now() - failed_at)::int as days from langgraph.webhooks order by 1";
  await vi.waitFor(async () => expect(await database.query(days)).toEqual([{ days: 5 }, { days: 6 }]), {
    timeout: 15_000,
  });
});
