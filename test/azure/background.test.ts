/** Background runs through the stand-in host, a real database and a real queue, whose messages the test hands over as the host does. */

import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BuiltApp, buildApp } from "../support/build.ts";
import { type AzureHost, startAzureHost } from "../support/azure-host/host.ts";
import { triggerOf } from "../support/azure-host/protocol.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { proxyTo } from "../support/proxy.ts";
import { startAzurite, type Azurite } from "../support/queues/azurite.ts";

const queueName = "langgraph-runs";
const unknownRun = "6f1c0d3e-0000-4000-8000-000000000000";

let app: BuiltApp;
let azurite: Azurite;
let database: TestDatabase;
let host: AzureHost;

beforeAll(async () => {
  [app, azurite, database] = await Promise.all([
    buildApp(path.join(import.meta.dirname, "fixtures/background.ts")),
    startAzurite(),
    testDatabase(),
  ]);
  host = await start(database.url);
});
afterAll(async () => {
  await host[Symbol.asyncDispose]();
  await Promise.all([app, azurite, database].map((resource) => resource[Symbol.asyncDispose]()));
});

async function start(
  databaseUrl: string,
  env: Record<string, string> = {},
  { entry } = app,
): Promise<AzureHost> {
  return startAzureHost({
    entry,
    env: { DATABASE_URL: databaseUrl, AzureWebJobsStorage: azurite.connectionString, ...env },
    keys: false,
  });
}

async function post(route: string, input: object, at = host): Promise<Response> {
  return fetch(`${at.url}/graphs/${route}`, { method: "POST", body: JSON.stringify({ input }) });
}

async function createRun(text: string, graph = "shout"): Promise<{ run_id: string }> {
  const response = await post(`${graph}/runs`, { text });
  expect(response.status).toBe(202);
  return response.json();
}

async function getRun(runId: string, graph = "shout"): Promise<unknown> {
  return (await fetch(`${host.url}/graphs/${graph}/runs/${runId}`)).json();
}

/** Hands over every message that is visible, and deletes each that the function takes. */
async function deliverAll(to = host): Promise<number> {
  const messages = await azurite.receive(queueName);
  for (const { text, dequeueCount, remove } of messages) {
    await to.invokeQueue("run_worker", text, dequeueCount);
    await remove();
  }
  return messages.length;
}

test("a worker and a timer are registered, and the catch-all still sorts after every HTTP function", async () => {
  await using other = await start(database.url, { RUN_QUEUE: "other-runs", TICK_SCHEDULE: "0 */5 * * * *" });
  const triggers = (of: AzureHost) => of.functions.map((fn) => ({ ...triggerOf(fn).binding, name: fn.name }));
  const connection = "AzureWebJobsStorage";
  expect(triggers(host)).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ name: "run_worker", type: "queueTrigger", queueName, connection }),
      expect.objectContaining({
        name: "tick",
        type: "timerTrigger",
        schedule: "0 * * * * *",
        runOnStartup: false,
      }),
    ]),
  );
  expect(triggers(other)).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ name: "run_worker", queueName: "other-runs" }),
      expect.objectContaining({ name: "tick", schedule: "0 */5 * * * *" }),
    ]),
  );
  const http = triggers(host).filter(({ type }) => type === "httpTrigger");
  expect(
    http
      .map(({ name }) => name.toUpperCase())
      .toSorted()
      .at(-1),
  ).toBe("PLATFORM_API");
});

test("a run that is created over HTTP is executed by the queue function", async () => {
  const { run_id } = await createRun("hello");
  expect(await getRun(run_id)).toMatchObject({ status: "pending", output: null });
  expect(await deliverAll()).toBe(1);
  expect(await getRun(run_id)).toMatchObject({ status: "success", output: { text: "hello!" } });
});

test("the status counts what waits in the queue and in the database, and the timer tells the same in one line", async () => {
  await using own = await testDatabase();
  await using counting = await start(own.url, { RUN_QUEUE: "counting-runs" });
  expect((await post("shout/runs", { text: "waits" }, counting)).status).toBe(202);
  const response = await fetch(`${counting.url}/status`);
  expect([response.status, await response.json()]).toMatchObject([
    200,
    {
      status: "ok",
      database: { status: "ok" },
      queue: { status: "ok", messages: 1, dead_letters: 0 },
      runs: { waiting: 1, running: 0 },
    },
  ]);
  await counting.invokeTimer("tick");
  const told = counting.output.flatMap((line) => (line.includes('"msg":"Tick"') ? [JSON.parse(line)] : []));
  expect(told).toMatchObject([{ level: "info", waiting_runs: 1, running_runs: 0, recovered: 0 }]);
});

test("a message that comes twice, at once and again later, executes its run once", async () => {
  const { run_id } = await createRun("once");
  const message = { run_id };
  await Promise.all([
    host.invokeQueue("run_worker", message),
    host.invokeQueue("run_worker", message),
    deliverAll(),
  ]);
  await host.invokeQueue("run_worker", message, 2);
  expect(await getRun(run_id)).toMatchObject({ status: "success", output: { text: "once!" } });
  const [{ claims } = {}] = await database.query("select claims from langgraph.runs where run_id = $1", [
    run_id,
  ]);
  expect(claims).toBe(1);
});

test.each([
  ["no JSON", "rubbish"],
  ["nothing", ""],
  ["null", "null"],
  ["a list", "[]"],
  ["no run id", "{}"],
  ["a run id of another kind", '{"run_id":7}'],
  ["a run id that is none", '{"run_id":"none"}'],
  ["a time that is none", `{"run_id":"${unknownRun}","not_before":"soon"}`],
])("a message that is none of ours (%s) is dropped, which the log tells", async (_, text) => {
  const before = host.output.length;
  await azurite.send(queueName, text);
  await deliverAll();
  expect(host.output.slice(before).join("\n")).toContain("Dropped a queue message that is none of ours");
});

test("a message for a run that does not exist is dropped", async () => {
  await host.invokeQueue("run_worker", { run_id: unknownRun });
});

test("a message that comes before its run is due is sent again for its time", async () => {
  const { run_id } = await createRun("later");
  const [message] = await azurite.receive(queueName);
  await message?.remove();
  const due = new Date(Date.now() + 1_500);
  await host.invokeQueue("run_worker", { run_id, not_before: due });
  expect(await getRun(run_id)).toMatchObject({ status: "pending" });
  await expect.poll(async () => deliverAll(), { timeout: 20_000 }).toBe(1);
  expect(Date.now()).toBeGreaterThanOrEqual(due.getTime());
  expect(await getRun(run_id)).toMatchObject({ status: "success" });
});

test("the timer wakes a worker for a run whose message was lost", async () => {
  const { run_id } = await createRun("lost");
  const [message] = await azurite.receive(queueName);
  await message?.remove();
  await host.invokeTimer("tick");
  expect(await deliverAll()).toBe(0);
  await database.query(
    "update langgraph.runs set woken_at = woken_at - interval '1 minute' where run_id = $1",
    [run_id],
  );
  await host.invokeTimer("tick");
  expect(await deliverAll()).toBe(1);
  expect(await getRun(run_id)).toMatchObject({ status: "success", output: { text: "lost!" } });
});

test("while the database is away, a message is left for the host to deliver again", async () => {
  const { run_id } = await createRun("patient");
  await using proxy = await proxyTo(database.url);
  await using other = await start(proxy.url);
  await proxy.cut();
  const [message] = await azurite.receive(queueName);
  await expect(other.invokeQueue("run_worker", message?.text)).rejects.toThrow(
    "The database cannot be reached",
  );
  await proxy.mend();
  await other.invokeQueue("run_worker", message?.text, 2);
  await message?.remove();
  expect(await getRun(run_id)).toMatchObject({ status: "success" });
});

test("without a queue, a background run is refused by the setting's name; invoke and stream need none", async () => {
  await using bare = await start(database.url, { AzureWebJobsStorage: "" });
  const refused = await post("shout/runs", { text: "nowhere" }, bare);
  expect([refused.status, await refused.json()]).toEqual([
    503,
    { error: "unavailable", detail: expect.stringContaining("AzureWebJobsStorage") },
  ]);
  for (const verb of ["invoke", "stream"])
    expect(await (await post(`shout/${verb}`, { text: "here" }, bare)).text()).toContain("here!");
});

test("a run that outlives its function is handed from one invocation to the next", async () => {
  await using brief = await start(database.url, { FUNCTION_TIMEOUT_SECONDS: "2" });
  const { run_id } = await createRun("", "slow");
  await expect
    .poll(
      async () => {
        await deliverAll(brief);
        return getRun(run_id, "slow");
      },
      { timeout: 50_000 },
    )
    .toMatchObject({ status: "success", output: { text: "......" } });
  const [{ claims } = {}] = await database.query("select claims from langgraph.runs where run_id = $1", [
    run_id,
  ]);
  expect(claims).toBeGreaterThan(1);
});

test("without the queue's package, a background run is refused by its name", async () => {
  const missing = ["@azure/storage-queue"];
  const source = path.join(import.meta.dirname, "fixtures/background.ts");
  await using lacking = await buildApp(source, { missing });
  await using bare = await start(database.url, {}, lacking);
  const refused = await post("shout/runs", { text: "nowhere" }, bare);
  expect([refused.status, await refused.text()]).toEqual([
    503,
    expect.stringContaining("npm install @azure/storage-queue"),
  ]);
  expect(await (await post("shout/invoke", { text: "here" }, bare)).text()).toContain("here!");
});
