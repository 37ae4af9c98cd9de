import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { shout } from "../support/graphs.ts";
import { clientOf } from "../support/sdk.ts";
import { startServer, type TestServer } from "../support/server.ts";

const input = { text: "a" };
const YEARLY = "0 0 1 1 *";
const inAnHour = new Date(Date.now() + 3_600_000).toISOString();

let server: TestServer;
beforeAll(async () => {
  server = await startServer({
    graphs: [
      { name: "shout", graph: shout },
      { name: "strict", graph: shout, inputSchema: z.object({ text: z.string() }) },
    ],
  });
});
afterAll(async () => server[Symbol.asyncDispose]());
beforeEach(async () => void (await server.database.query("truncate langgraph.crons")));

test.each([
  ["schedule", { schedule: "whenever" }, "is no cron expression"],
  ["schedule", { schedule: "* * * * * * *" }, "is no cron expression"],
  ["schedule", { schedule: "0 0 30 2 *" }, "never comes"],
  ["schedule", { schedule: undefined }, "schedule: "],
  ["timezone", { timezone: "Mars/Olympus" }, "is no time zone"],
  ["end_time", { end_time: "2001-01-01T00:00:00Z" }, "has passed"],
  ["end_time", { schedule: "0 0 29 2 *", end_time: inAnHour }, "is before the next time"],
  ["end_time", { end_time: "tomorrow" }, "end_time: "],
  ["on_run_completed", { on_run_completed: "forget" }, "on_run_completed: "],
  ["after_seconds", { after_seconds: 1 }, "after_seconds"],
  ["input.text", { assistant_id: "strict", input: { text: 7 } }, "input.text: "],
])("a cron with a wrong %s (%j) is refused", async (_, fields, problem) => {
  const body = { assistant_id: "shout", schedule: YEARLY, input, ...fields };
  const refused = await server.post("/runs/crons", body);
  expect([refused.status, refused.text]).toEqual([422, expect.stringContaining(problem)]);
  expect(await clientOf(server).crons.count()).toBe(0);
});

test("a change that is wrong is refused, and changes nothing", async () => {
  const { crons } = clientOf(server);
  const { cron_id } = await crons.create("strict", { schedule: YEARLY, input });
  const [before] = await crons.search();
  for (const body of [{ schedule: "x" }, { timezone: "x" }, { input: { text: 7 } }, { other: 1 }])
    expect((await server.post(`/runs/crons/${cron_id}`, body, { method: "PATCH" })).status).toBe(422);
  expect((await crons.search())[0]).toEqual(before);
});

test("a cron of an assistant that is not there is refused", async () => {
  await expect(clientOf(server).crons.create("other", { schedule: YEARLY, input })).rejects.toThrow("404");
});

test("the crons of a graph are open to those who may run it", async () => {
  const keys = { function: "key", admin: "master" };
  await using own = await startServer({
    graphs: [{ name: "locked", graph: shout, authLevel: "admin" }],
    local: { keys },
  });
  const ask = async (method: string, path: string, key: string, body?: object) =>
    own.post(path, body ?? "", {
      method,
      headers: { "content-type": "application/json", "x-functions-key": key },
      ...(method === "GET" || method === "DELETE" ? { body: null } : {}),
    });
  const wanted = { assistant_id: "locked", schedule: YEARLY, input };
  expect((await ask("POST", "/runs/crons", "wrong", wanted)).status).toBe(401);
  expect((await ask("POST", "/runs/crons", "key", wanted)).status).toBe(403);
  const created = await ask("POST", "/runs/crons", "master", wanted);
  const { cron_id } = z.object({ cron_id: z.uuid() }).parse(created.body);
  for (const [method, body] of [["GET"], ["PATCH", { enabled: false }], ["DELETE"]] as const) {
    expect((await ask(method, `/runs/crons/${cron_id}`, "key", body)).status).toBe(403);
    expect((await ask(method, `/runs/crons/${cron_id}`, "master", body)).status).toBeLessThan(300);
  }
});
