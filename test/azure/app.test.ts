/** The example app as the program builds and zips it, unpacked where there are no packages, on the stand-in host. */

import { afterAll, beforeAll, expect, test } from "vitest";
import { startAzureHost, type AzureHost } from "../support/azure-host/host.ts";
import { triggerOf } from "../support/azure-host/protocol.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { readEvents } from "../support/events.ts";
import { testFolder, type TestFolder } from "../support/program.ts";
import { startAzurite } from "../support/queues/azurite.ts";
import { assemble } from "../support/rehearsal/assemble.ts";

let folder: TestFolder;
let entry: string;

beforeAll(async () => {
  folder = await testFolder();
  ({ entry } = await assemble("azure", folder.path));
}, 120_000);
afterAll(async () => folder[Symbol.asyncDispose]());

const keys = { function: "function-key", admin: "admin-key" };

async function start(database: TestDatabase, env: Readonly<Record<string, string>> = {}): Promise<AzureHost> {
  return startAzureHost({ entry, env: { DATABASE_URL: database.url, ...env }, keys });
}

async function call(host: AzureHost, route: string, body?: unknown): Promise<Response> {
  return fetch(`${host.url}${route}`, {
    headers: { "content-type": "application/json", "x-functions-key": keys.function },
    ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
  });
}

test("each graph has functions of its own, and the catch-all sorts after them", async () => {
  await using database = await testDatabase();
  await using host = await start(database);
  const names = host.functions
    .filter((fn) => triggerOf(fn).binding.type === "httpTrigger")
    .map(({ name }) => name)
    .toSorted();
  expect(names).toEqual(
    expect.arrayContaining([
      "app_status",
      "app_status_summary",
      "graph_chat_invoke",
      "graph_chat_state",
      "graph_chat_stream",
      "graph_digest_invoke",
      "health",
      "link_answer",
      "link_page",
    ]),
  );
  expect(names.at(-1)).toBe("platform_api");
});

test("a resume link needs no key, and making one does", async () => {
  await using database = await testDatabase();
  await using host = await start(database);
  const open = async (method: string) => fetch(`${host.url}/resume/forged`, { method });
  expect([(await open("GET")).status, (await open("POST")).status]).toEqual([404, 404]);
  expect((await fetch(`${host.url}/threads/t/resume-links`, { method: "POST" })).status).toBe(401);
});

test("an answer is named as the host names its invocation, or as the client does", async () => {
  await using database = await testDatabase();
  await using host = await start(database);
  const answered = async (headers: Record<string, string>) =>
    (await fetch(`${host.url}/health`, { headers })).headers.get("x-request-id");
  expect(await answered({ "x-request-id": "mine" })).toBe("mine");
  const id = await answered({});
  await expect.poll(() => host.outcomes.map(({ invocationId }) => invocationId)).toContain(id);
});

test("a conversation is remembered by another process", async () => {
  await using database = await testDatabase();
  const say = async (host: AzureHost, content: string) => {
    const input = { messages: [{ role: "user", content }] };
    return (
      await call(host, "/graphs/chat/invoke", {
        input,
        config: { configurable: { thread_id: "conversation-1" } },
      })
    ).text();
  };
  await using first = await start(database);
  await say(first, "My name is Ada.");
  await first.kill();

  await using second = await start(database);
  expect(await say(second, "What is my name?")).toContain("Ada");
  const state = await call(second, "/graphs/chat/threads/conversation-1/state");
  expect(await state.json()).toMatchObject({
    next: [],
    values: { messages: Array.from({ length: 4 }, () => ({})) },
  });
});

test("a stream arrives event by event and ends with end", async () => {
  await using database = await testDatabase();
  await using host = await start(database);
  const input = { messages: [{ role: "user", content: "Hello" }] };
  const response = await call(host, "/graphs/chat/stream", { input, stream_mode: "messages" });
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const events = [];
  for await (const { event } of readEvents(response)) events.push(event);
  expect(events.length).toBeGreaterThan(3);
  expect(events.at(-1)).toBe("end");
});

test("health and the documentation page ask for no key, everything else does", async () => {
  await using database = await testDatabase();
  await using host = await start(database);
  const status = async (path: string) => (await fetch(`${host.url}${path}`)).status;
  expect(await status("/health")).toBe(200);
  expect(await status("/docs")).toBe(200);
  expect(await status("/openapi.json")).toBe(401);
  expect(await status("/health/details")).toBe(401);
  expect(await status("/status")).toBe(401);
  expect(await status("/graphs/chat/threads/x/state")).toBe(401);
  expect((await call(host, "/openapi.json")).status).toBe(200);
  expect(await (await call(host, "/status")).json()).toMatchObject({
    status: "ok",
    queue: { status: "off" }, // without a storage account
  });
});

test("nothing beside the folder is needed, also for a graph with packages of its own", async () => {
  await using database = await testDatabase();
  await using host = await start(database);
  expect((await call(host, "/graphs/digest/invoke", { input: {} })).status).toBe(200);
  expect((await call(host, "/openapi.json")).status).toBe(200);
});

test("a run in the background goes through the queue", async () => {
  await using database = await testDatabase();
  await using azurite = await startAzurite();
  await using host = await start(database, { AzureWebJobsStorage: azurite.connectionString });
  const input = { messages: [{ role: "user", content: "My name is Ada." }] };
  const asked = await call(host, "/graphs/chat/runs", { input });
  expect(asked.status).toBe(202);
  const { run_id } = await asked.json();
  const [message] = await azurite.receive("langgraph-runs");
  await host.invokeQueue("run_worker", message?.text);
  const run = await (await call(host, `/graphs/chat/runs/${run_id}`)).json();
  expect(run).toMatchObject({ status: "success", output: { messages: [{}, {}] } });
});

test("a setting that is missing keeps the app from starting, and is named", async () => {
  await expect(startAzureHost({ entry, keys })).rejects.toThrow("DATABASE_URL is not set");
});
