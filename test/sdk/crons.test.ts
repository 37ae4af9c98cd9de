import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { gated, shout } from "../support/graphs.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { clientOf } from "../support/sdk.ts";

const input = { text: "a" };
const patience = { timeout: 20_000, interval: 50 };
const YEARLY = "0 0 1 1 *";

let server: TestServer;
beforeAll(async () => {
  server = await startServer({
    graphs: [
      { name: "shout", graph: shout },
      { name: "other", graph: shout },
    ],
  });
});
afterAll(async () => server[Symbol.asyncDispose]());
beforeEach(async () => void (await server.database.query("truncate langgraph.crons")));

/** As if the next times of all crons had been some time ago. */
async function come(ago: string, { database } = server): Promise<void> {
  await database.query(
    "update langgraph.crons set next_run_date = now() - $1::interval where next_run_date is not null",
    [ago],
  );
}

/** Until each due time has been dealt with, and each run has ended. */
async function untilDone({ database } = server): Promise<void> {
  const left = `select cron_id from langgraph.crons where next_run_date <= now()
    union all select run_id from langgraph.runs where status in ('pending', 'running')`;
  await vi.waitFor(async () => expect(await database.query(left)).toEqual([]), patience);
}

async function runsOf(cronId: string, { database } = server) {
  return database.query(
    "select thread_id, status, output from langgraph.runs where metadata ->> 'cron_id' = $1 order by position",
    [cronId],
  );
}

function nextYear(): string {
  return new Date(Date.UTC(new Date().getUTCFullYear() + 1, 0, 1)).toISOString();
}

test("a cron is created as it was asked for, with its next time, and read again", async () => {
  const { crons } = clientOf(server);
  const created = await crons.create("shout", {
    schedule: YEARLY,
    input,
    metadata: { who: "me" },
    config: { tags: ["nightly"] },
    onRunCompleted: "keep",
  });
  expect(created).toEqual({
    cron_id: expect.any(String),
    assistant_id: expect.any(String),
    thread_id: null,
    schedule: YEARLY,
    timezone: null,
    end_time: null,
    enabled: true,
    on_run_completed: "keep",
    payload: { input, config: { tags: ["nightly"] } },
    metadata: { who: "me" },
    user_id: null,
    next_run_date: nextYear(),
    created_at: expect.any(String),
    updated_at: created.created_at,
  });
  expect((await server.get(`/runs/crons/${created.cron_id}`)).body).toEqual(created);
});

test("a schedule is read in its time zone", async () => {
  const { crons } = clientOf(server);
  const { next_run_date } = await crons.create("shout", { schedule: YEARLY, timezone: "Asia/Tokyo", input });
  expect(next_run_date).toMatch(/-12-31T15:00:00/);
});

test("a sixth field is seconds, as on the Platform", async () => {
  const { crons } = clientOf(server);
  const { next_run_date } = await crons.create("shout", { schedule: `${YEARLY} 30`, input });
  expect(next_run_date).toMatch(/-01-01T00:00:30/);
});

test("at its time, a stateless cron makes a run that leaves nothing behind, and goes on with its next time", async () => {
  const { crons } = clientOf(server);
  const { cron_id } = await crons.create("shout", { schedule: YEARLY, input });
  await come("1 second");
  await untilDone();
  const [cron] = await crons.search();
  expect(cron).toMatchObject({ cron_id, next_run_date: nextYear() });
  expect(await runsOf(cron_id)).toEqual([]);
  expect(
    await server.database.query("select count(*)::int as threads from langgraph.threads where is_temporary"),
  ).toEqual([{ threads: 0 }]);
});

test("a cron that keeps its threads leaves a run on a thread of its own, each time", async () => {
  const { crons, threads } = clientOf(server);
  const { cron_id } = await crons.create("shout", { schedule: YEARLY, input, onRunCompleted: "keep" });
  for (const _ of ["first", "second"]) {
    await come("1 second");
    await untilDone();
  }
  const runs = await runsOf(cron_id);
  expect(runs).toMatchObject([
    { status: "success", output: { text: "a!" } },
    { status: "success", output: { text: "a!" } },
  ]);
  expect(new Set(runs.map(({ thread_id }) => thread_id)).size).toBe(2);
  expect((await threads.get(String(runs[0]?.["thread_id"]))).values).toEqual({ text: "a!" });
});

test("a thread's cron runs on the thread, and goes with it", async () => {
  const { crons, threads, runs } = clientOf(server);
  const { thread_id } = await threads.create();
  const { cron_id } = await crons.createForThread(thread_id, "shout", { schedule: YEARLY, input });
  await come("1 second");
  await untilDone();
  expect(await runs.list(thread_id)).toMatchObject([{ status: "success", metadata: { cron_id } }]);
  expect((await threads.get(thread_id)).values).toEqual({ text: "a!" });
  expect(await crons.search({ threadId: thread_id })).toHaveLength(1);
  await threads.delete(thread_id);
  expect(await crons.search()).toEqual([]);
  await expect(crons.createForThread(thread_id, "shout", { schedule: YEARLY, input })).rejects.toThrow("404");
});

test("what was missed while nothing ticked is made up for once", async () => {
  const { crons } = clientOf(server);
  const every = { schedule: "0 * * * *", input, onRunCompleted: "keep" } as const;
  const { cron_id } = await crons.create("shout", every);
  await come("3 days");
  await untilDone();
  await crons.update(cron_id, { enabled: false });
  expect(await runsOf(cron_id)).toHaveLength(1);
});

test("a cron is changed in what is said, and keeps the rest", async () => {
  const { crons } = clientOf(server);
  const end = new Date(Date.now() + 3 * 366 * 86_400_000).toISOString();
  const created = await crons.create("shout", {
    schedule: YEARLY,
    timezone: "Europe/Berlin",
    endTime: end,
    input,
    metadata: { a: 1, b: 1 },
  });
  const changed = await crons.update(created.cron_id, { metadata: { b: 2 }, input: { text: "b" } });
  expect(changed).toEqual({
    ...created,
    metadata: { a: 1, b: 2 },
    payload: { ...created.payload, input: { text: "b" } },
    updated_at: expect.any(String),
  });
  expect(changed.updated_at > created.updated_at).toBe(true);
  const patch = async (body: object) =>
    server.post(`/runs/crons/${created.cron_id}`, body, { method: "PATCH" });
  expect((await patch({ end_time: null, timezone: null })).body).toMatchObject({
    end_time: null,
    timezone: null,
    next_run_date: nextYear(),
    metadata: { a: 1, b: 2 },
  });
  expect((await patch({ enabled: false })).body).toMatchObject({ enabled: false, next_run_date: null });
  await come("1 second");
  expect((await patch({ enabled: true })).body).toMatchObject({ enabled: true, next_run_date: nextYear() });
});

test("changes at the same time are all there in the end", async () => {
  const { crons } = clientOf(server);
  const { cron_id } = await crons.create("shout", { schedule: YEARLY, input });
  const keys = ["a", "b", "c", "d"];
  await Promise.all(keys.map(async (key) => crons.update(cron_id, { metadata: { [key]: 1 } })));
  const [cron] = await crons.search();
  expect(cron?.metadata).toEqual({ a: 1, b: 1, c: 1, d: 1 });
});

test("after its end, a cron is due no more", async () => {
  const { crons } = clientOf(server);
  const endTime = new Date(Date.now() + 90 * 60_000).toISOString();
  const { cron_id } = await crons.create("shout", {
    schedule: "0 * * * *",
    endTime,
    input,
    onRunCompleted: "keep",
  });
  await server.database.query("update langgraph.crons set end_time = now() - interval '1 second'");
  await come("2 seconds");
  await untilDone();
  expect(await runsOf(cron_id)).toHaveLength(1);
  expect((await crons.search())[0]).toMatchObject({ enabled: true, next_run_date: null });
});

test("crons are found by what is known of them, counted, sorted and shown in part", async () => {
  const { crons, threads } = clientOf(server);
  const { thread_id } = await threads.create();
  const ids: string[] = [];
  for (const n of [1, 2, 3])
    ids.push(
      (await crons.create("shout", { schedule: YEARLY, input, metadata: { n }, enabled: n < 3 })).cron_id,
    );
  const other = await crons.createForThread(thread_id, "other", { schedule: "0 0 1 2 *", input });
  const found = async (query: Parameters<typeof crons.search>[0]) =>
    (await crons.search(query)).map(({ cron_id }) => cron_id);
  expect(await found({})).toEqual([other.cron_id, ...ids.toReversed()]);
  expect(await found({ threadId: thread_id })).toEqual([other.cron_id]);
  expect(await found({ assistantId: other.assistant_id })).toEqual([other.cron_id]);
  expect(await found({ assistantId: "other" })).toEqual([other.cron_id]);
  expect(await found({ enabled: false })).toEqual([ids[2]]);
  expect(await found({ metadata: { n: 2 } })).toEqual([ids[1]]);
  expect(await found({ sortBy: "created_at", sortOrder: "asc", limit: 2, offset: 1 })).toEqual(
    ids.slice(1, 3),
  );
  expect(await crons.search({ threadId: thread_id, select: ["schedule", "now"] })).toEqual([
    { schedule: "0 0 1 2 *", now: expect.any(String) },
  ]);
  expect([
    await crons.count(),
    await crons.count({ threadId: thread_id }),
    await crons.count({ metadata: { n: 2 } }),
    await crons.count({ assistantId: randomUUID() }),
  ]).toEqual([4, 1, 1, 0]);
  const { headers } = await server.post("/runs/crons/search", { limit: 3 });
  expect([headers.get("x-pagination-total"), headers.get("x-pagination-next")]).toEqual(["4", "3"]);
  const last = await server.post("/runs/crons/search", { limit: 3, offset: 3 });
  expect(last.headers.get("x-pagination-next")).toBeNull();
});

test("a deleted cron is gone", async () => {
  const { crons } = clientOf(server);
  const { cron_id } = await crons.create("shout", { schedule: YEARLY, input });
  await crons.delete(cron_id);
  await expect(crons.delete(cron_id)).rejects.toThrow("404");
  await expect(crons.update(cron_id, { enabled: false })).rejects.toThrow("404");
  expect((await server.get(`/runs/crons/${cron_id}`)).status).toBe(404);
});

test("a cron whose thread is busy, or whose graph is gone, says so in the log and goes on with its next time", async () => {
  const { graph, entered, open } = gated();
  await using own = await startServer({ graphs: [{ name: "gated", graph }] });
  const { crons, threads, runs } = clientOf(own);
  const { thread_id } = await threads.create();
  const busy = { schedule: YEARLY, input, multitaskStrategy: "reject" } as const;
  const rejected = await crons.createForThread(thread_id, "gated", busy);
  const lost = await crons.create("gated", { schedule: YEARLY, input });
  await own.database.query("update langgraph.crons set assistant_id = $1 where cron_id = $2", [
    randomUUID(),
    lost.cron_id,
  ]);
  const { run_id } = await runs.create(thread_id, "gated", { input });
  await entered;
  await come("1 second", own);
  const due = "select cron_id from langgraph.crons where next_run_date <= now()";
  await vi.waitFor(async () => expect(await own.database.query(due)).toEqual([]), patience);
  expect(await crons.update(lost.cron_id, { enabled: false })).toMatchObject({ next_run_date: null });
  open();
  await runs.join(thread_id, run_id);
  expect(await runs.list(thread_id)).toHaveLength(1);
  expect(await crons.search({ select: ["next_run_date"] })).toEqual([
    { next_run_date: null },
    { next_run_date: nextYear() },
  ]);
  expect(own.warnings).toEqual(
    expect.arrayContaining([
      {
        fields: expect.objectContaining({
          cron_id: rejected.cron_id,
          reason: expect.stringContaining("Thread"),
        }),
        message: "A cron made no run",
      },
      {
        fields: expect.objectContaining({
          cron_id: lost.cron_id,
          reason: expect.stringContaining("Assistant"),
        }),
        message: "A cron made no run",
      },
    ]),
  );
});

test("a cron whose runs interrupt takes its thread over", async () => {
  const { graph, entered, open } = gated();
  await using own = await startServer({ graphs: [{ name: "gated", graph }] });
  const { crons, threads, runs } = clientOf(own);
  const { thread_id } = await threads.create();
  await crons.createForThread(thread_id, "gated", {
    schedule: YEARLY,
    input,
    multitaskStrategy: "interrupt",
  });
  const { run_id } = await runs.create(thread_id, "gated", { input });
  await entered;
  await come("1 second", own);
  await vi.waitFor(
    async () => expect(await runs.get(thread_id, run_id)).toMatchObject({ status: "interrupted" }),
    patience,
  );
  open();
  await untilDone(own);
  expect(await runs.list(thread_id)).toMatchObject([{ status: "success" }, { status: "interrupted" }]);
});
