/** The example app as the program builds and zips it, unpacked where there are no packages. */

import { afterAll, beforeAll, expect, test } from "vitest";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { type Lambda, startLambda } from "../support/lambda/lambda.ts";
import { testFolder, type TestFolder } from "../support/program.ts";
import { assemble } from "../support/rehearsal/assemble.ts";

let folder: TestFolder;
let database: TestDatabase;
let lambda: Lambda;

beforeAll(async () => {
  [folder, database] = await Promise.all([testFolder(), testDatabase()]);
  const { entry } = await assemble("lambda", folder.path);
  const env = { DATABASE_URL: database.url, FUNCTION_KEY: "function-key" };
  lambda = await startLambda({ entry, handler: "http", env });
}, 120_000);
afterAll(async () => {
  await lambda[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

function post(route: string, body: unknown): Promise<Response> {
  return fetch(`${lambda.url}/api/${route}`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-functions-key": "function-key" },
    body: JSON.stringify(body),
  });
}

const say = (content: string) => ({
  input: { messages: [{ role: "user", content }] },
  config: { configurable: { thread_id: "ada" } },
});

test("the example app is served: its health to everyone, its graphs to those with the key", async () => {
  expect((await fetch(`${lambda.url}/api/health`)).status).toBe(200);
  expect((await fetch(`${lambda.url}/api/graphs/chat/invoke`, { method: "POST" })).status).toBe(401);
});

test("a conversation goes on after a freeze, invoked and streamed, in one sandbox", async () => {
  const first = await post("graphs/chat/invoke", say("Hi, my name is Ada."));
  expect(first.status, await first.text()).toBe(200);
  await expect.poll(() => lambda.isFrozen).toBe(true);
  const second = await post("graphs/chat/stream", say("What is my name?"));
  expect(second.headers.get("content-type")).toBe("text/event-stream");
  const events = await second.text();
  expect(events).toContain("Your name is Ada.");
  expect(events).toMatch(/event: end\ndata: .*\n\n$/);
  expect(lambda.inits).toBe(1);
});
