/** Lambda tells nobody that a client has left: what that means for `on_disconnect`, and what stops a run there. */

import path from "node:path";
import { Client } from "@langchain/langgraph-sdk";
import { expect, test } from "vitest";
import { z } from "zod";
import { buildApp } from "../support/build.ts";
import { testDatabase } from "../support/database.ts";
import { startLambda } from "../support/lambda/lambda.ts";

test("a run whose client has left goes on, though it was to be cancelled; being asked to, it stops", async () => {
  await using app = await buildApp(path.join(import.meta.dirname, "fixtures/steps.ts"));
  await using database = await testDatabase();
  const env = { DATABASE_URL: database.url, FUNCTION_KEY: "key" };
  await using lambda = await startLambda({ entry: app.entry, handler: "http", env });
  const client = new Client({
    apiUrl: `${lambda.url}/api`,
    defaultHeaders: { "x-functions-key": "key" },
  });
  const { thread_id } = await client.threads.create();
  const statusNow = async () => (await client.runs.list(thread_id))[0]?.status;
  const countNow = async () =>
    z.object({ count: z.number() }).parse((await client.threads.getState(thread_id)).values).count;

  const leaving = new AbortController();
  const options = { input: { count: 0 }, onDisconnect: "cancel", signal: leaving.signal } as const;
  const stream = client.runs.stream(thread_id, "steps", options);
  expect((await stream.next()).value).toMatchObject({ event: "metadata" });
  expect((await stream.next()).value).toMatchObject({ event: "values" });
  leaving.abort();
  expect(await stream.next()).toMatchObject({ done: true });
  const atLeaving = await countNow();
  await expect.poll(countNow, { timeout: 20_000 }).toBeGreaterThan(atLeaving + 1);
  expect(await statusNow()).toBe("running");

  const [run] = await client.runs.list(thread_id);
  await client.runs.cancel(thread_id, run?.run_id ?? "", true);
  expect(await statusNow()).toBe("interrupted");
  expect((await client.threads.getState(thread_id)).next).toEqual(["step"]);
});
