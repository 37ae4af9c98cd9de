/** Lambda tells nobody that a client has left: what `on_disconnect` means there, through the genuine runtime. */

import path from "node:path";
import { Client } from "@langchain/langgraph-sdk";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { openings, triggering } from "../support/deployment/deployment.ts";
import { batch } from "../support/deployment/lambda.ts";
import { buildApp } from "../support/build.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { httpApiEvent } from "../support/lambda/events.ts";
import { startLambda, type Lambda } from "../support/lambda/lambda.ts";
import { startSqs } from "../support/queues/sqs.ts";

const PATIENCE = { timeout: 40_000 };

const { keep, close } = openings();
let database: TestDatabase;
/** With workers, with a queue that all of them leave alone, and without one. */
let http: Lambda;
let crowded: Lambda;
let alone: Lambda;
let worker: Lambda;

beforeAll(async () => {
  const app = await keep(buildApp(path.join(import.meta.dirname, "fixtures/leaving.ts")));
  const sqs = await keep(startSqs());
  database = await keep(testDatabase());
  const env = { DATABASE_URL: database.url, FUNCTION_KEY: "key", SIGN_OF_LIFE_SECONDS: "1" };
  const start = async (handler: string, more: object = {}): Promise<Lambda> =>
    keep(startLambda({ entry: app.entry, handler, env: { ...env, ...more } }));
  [http, alone] = [await start("http", sqs.env), await start("http")];
  crowded = await start("http", (await keep(startSqs())).env);
  worker = await start("worker", sqs.env);
  const schedule = await start("schedule", sqs.env);
  await keep(
    triggering({
      receive: async () => batch(sqs, worker),
      tick: async () => schedule.invoke({ source: "langgraph.tick" }),
    }),
  );
  await database.query("create table notes (note text)");
});
beforeEach(async () => void (await database.query("delete from notes")));
afterAll(close);

/** A run on a thread of its own, which ends with its client, if there is a way to know. */
async function open({ url }: Lambda) {
  const client = new Client({ apiUrl: `${url}/api`, defaultHeaders: { "x-functions-key": "key" } });
  const { thread_id } = await client.threads.create();
  const leaving = new AbortController();
  const stream = client.runs.stream(thread_id, "steps", {
    input: { count: 0 },
    config: { recursion_limit: 10_000 },
    streamMode: ["updates", "custom"],
    onDisconnect: "cancel",
    signal: leaving.signal,
  });
  const run = async () => (await client.runs.list(thread_id))[0];
  const count = async () =>
    z.object({ count: z.number() }).parse((await client.threads.getState(thread_id)).values).count;
  return { client, thread_id, stream, leave: () => leaving.abort(), run, count };
}

const cuts = ({ reports }: Lambda) => reports.filter(({ error }) => error?.errorType === "StreamCut").length;

test.each([
  ["in a worker", () => http],
  ["where its client comes back to, when no worker has time", () => crowded],
])("a run goes on %s; its client has every event once, however often it shows itself", async (_, host) => {
  const { stream, run } = await open(host());
  const before = cuts(host());
  const enough = vi
    .waitFor(() => expect(cuts(host()) - before).toBeGreaterThanOrEqual(2), PATIENCE)
    .then(async () => database.query("insert into notes values ('enough')"));
  const updates: unknown[] = [];
  const pieces: unknown[] = [];
  for await (const { event, data } of stream) {
    if (event === "updates") updates.push(data);
    if (event === "custom") pieces.push(data);
  }
  await enough;
  const counts = [...updates.keys()];
  expect(updates).toEqual(
    counts.map((count) => ({ step: { count: count + 1, isEnough: count === counts.at(-1) } })),
  );
  expect(pieces).toEqual(counts.flatMap((count) => ["a", "b", "c"].map((piece) => ({ count, piece }))));
  expect(await run()).toMatchObject({ status: "success" });
});

test("the run of a client that has left is stopped, its graph is told, and its thread can go on", async () => {
  const { client, thread_id, stream, leave, run } = await open(http);
  const before = cuts(http);
  await stream.next();
  leave();
  await vi.waitFor(() => expect(cuts(http)).toBe(before + 1), PATIENCE);
  await vi.waitFor(async () => expect(await run()).toMatchObject({ status: "running" }), PATIENCE); // elsewhere
  await database.query("update langgraph.runs set client_due_at = now() where status <> 'success'"); // its grace is over
  await vi.waitFor(async () => expect(await run()).toMatchObject({ status: "interrupted" }), PATIENCE);
  expect(worker.output.join("\n")).toContain("The graph was stopped");
  expect(await client.threads.getState(thread_id)).toMatchObject({ next: ["step"] });
  expect(await client.threads.get(thread_id)).toMatchObject({ status: "interrupted" });
});

test("an API Gateway that waits no longer than its time-out has an answer by then, and the run goes on", async () => {
  const client = new Client({ apiUrl: `${http.url}/api`, defaultHeaders: { "x-functions-key": "key" } });
  const { thread_id } = await client.threads.create();
  const input = { count: 0 };
  const body = JSON.stringify({ assistant_id: "steps", input, config: { recursion_limit: 10_000 } });
  const event = httpApiEvent({
    rawPath: `/api/threads/${thread_id}/runs/wait`,
    rawQueryString: "code=key",
    body,
  });
  event.requestContext.http.method = "POST";
  const { statusCode, headers } = JSON.parse(await http.invoke(event));
  expect(statusCode).toBe(408);
  expect(await client.runs.list(thread_id)).toMatchObject([
    { status: expect.stringMatching("pending|running") },
  ]);

  await database.query("insert into notes values ('enough')");
  const joined = await fetch(`${http.url}/api${headers.location}?code=key`);
  expect([joined.status, await joined.json()]).toEqual([200, { count: expect.any(Number), isEnough: true }]);
  expect(await client.runs.list(thread_id)).toMatchObject([{ status: "success" }]);
}, 120_000);

test("where no worker could go on, the run of a client that has left goes on, until it is asked to stop", async () => {
  const { client, thread_id, stream, leave, run, count } = await open(alone);
  await stream.next();
  leave();
  await vi.waitFor(async () => expect(await count()).toBeGreaterThan(20), PATIENCE); // 3 s at least
  expect(await run()).toMatchObject({ status: "running" });
  const { run_id = "" } = (await run()) ?? {};
  await client.runs.cancel(thread_id, run_id, true);
  expect(await run()).toMatchObject({ status: "interrupted" });
});
