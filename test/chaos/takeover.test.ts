import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { randomUUID } from "node:crypto";
import { systemClock } from "../../src/clock.ts";
import { follow } from "../../src/engine/follow.ts";
import { eventLog } from "../../src/postgres/events.ts";
import { openDatabase } from "../../src/postgres/pool.ts";
import type { TestDatabase } from "../support/database.ts";
import {
  buildWorker,
  diaryDatabase,
  executions,
  lapse,
  log,
  startWorker,
  unsettled,
  type WorkerProcess,
  type WorkerProgram,
} from "../support/processes.ts";

let program: WorkerProgram;
beforeAll(async () => (program = await buildWorker()));
afterAll(async () => program[Symbol.asyncDispose]());

const patience = { timeout: 90_000, interval: 50 };

async function create(worker: WorkerProcess, graph: string, text: string) {
  const thread_id = randomUUID();
  const body = { input: { text }, config: { configurable: { thread_id } } };
  const created = await worker.post(`/graphs/${graph}/runs`, body);
  expect(created.status).toBe(202);
  return { run_id: created.runId, thread_id };
}

async function untilExecuted(database: TestDatabase, expected: readonly string[]): Promise<void> {
  await vi.waitFor(
    async () => expect((await executions(database.query)).toSorted()).toEqual(expected.toSorted()),
    patience,
  );
}

/** Until what the finished one of the two parallel nodes wrote is in the database. */
async function untilSaved(database: TestDatabase): Promise<void> {
  const statement = "select distinct task_id from public.checkpoint_writes where channel = 'texts'";
  await vi.waitFor(async () => expect(await database.query(statement)).toHaveLength(1), patience);
}

async function untilStatus(database: TestDatabase, runId: string, status: string): Promise<void> {
  await vi.waitFor(
    async () =>
      expect(await database.query("select status from langgraph.runs where run_id = $1", [runId])).toEqual([
        { status },
      ]),
    patience,
  );
}

/** Reads the run's events in this process, to its end, wherever it executes. */
async function followed(database: TestDatabase, run: { run_id: string; thread_id: string }) {
  await using opened = openDatabase({ url: database.url, poolSize: 1, migrate: false });
  const deps = { events: eventLog(opened), clock: systemClock, journals: new Map() };
  const events = [];
  for await (const { seq, event, data } of follow(deps, run, 0, new AbortController().signal))
    events.push({ seq, event, data: JSON.parse(data) as unknown });
  return events;
}

test("after a kill -9 in the middle of a superstep another process goes on, and repeats nothing that was done", async () => {
  await using database = await diaryDatabase();
  await using first = await startWorker(program, database.url);
  const run = await create(first, "fan", "gate");
  const following = followed(database, run);
  await untilExecuted(database, ["fast finished", "slow null"]);
  await untilSaved(database);

  await using second = await startWorker(program, database.url);
  await first.kill();
  await lapse(database.query);
  await untilExecuted(database, ["fast finished", "slow null", "slow null"]);
  await database.query("insert into gates values ('gate')");
  await untilStatus(database, run.run_id, "success");

  expect(await executions(database.query)).toEqual(
    expect.arrayContaining(["fast finished", "slow null", "slow finished", "join finished"]),
  );
  expect(await executions(database.query)).toHaveLength(4);
  expect((await second.get(`/graphs/fan/runs/${run.run_id}`)).body).toMatchObject({
    status: "success",
    output: { texts: ["fast", "slow", "2 joined"] },
  });
  expect(await unsettled(database.query)).toEqual([]);
  const events = await following;
  expect(events.map(({ event, data }) => [event, data])).toEqual([
    ["values", { text: "gate", texts: [], count: 0 }],
    ["values", { text: "gate", texts: ["fast", "slow"], count: 0 }],
    ["values", { text: "gate", texts: ["fast", "slow", "2 joined"], count: 0 }],
  ]);
  expect(await log(database.query, run.thread_id)).toEqual(events.map(({ event, data }) => [event, data]));
  const numbers = events.map(({ seq }) => seq);
  expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  expect(new Set(numbers).size).toBe(numbers.length);
});

test("a run that gets on in each of its lives is not given up, however often they end, and its log has each step once", async () => {
  const STEPS = 12;
  const LIVES = process.env["CHAOS"] === "long" ? 10 : 5;
  await using database = await diaryDatabase();
  const workers = [await startWorker(program, database.url)];
  const thread_id = randomUUID();
  const body = { assistant_id: "steps", input: { text: String(STEPS) }, stream_mode: ["values", "updates"] };
  const created = await workers[0]?.post(`/threads/${thread_id}/runs`, { ...body, if_not_exists: "create" });
  const run = { run_id: created?.runId ?? "", thread_id };
  const following = followed(database, run);
  const newest = async (): Promise<number> => {
    const [row] = await database.query(
      "select max((metadata ->> 'step')::int) as step from public.checkpoints",
    );
    return Number(row?.["step"] ?? -1);
  };
  for (let life = 1, seen = 0; life < LIVES; life += 1) {
    await vi.waitFor(async () => expect(await newest()).toBeGreaterThan(seen), {
      timeout: 90_000,
      interval: 5,
    });
    await workers.at(-1)?.kill();
    seen = await newest();
    workers.push(await startWorker(program, database.url));
    await lapse(database.query);
  }
  await untilStatus(database, run.run_id, "success");
  const counts = Array.from({ length: STEPS + 1 }, (_, count) => count);
  const events = await following;
  const valuesOf = (name: string) => events.filter(({ event }) => event === name).map(({ data }) => data);
  expect(valuesOf("values")).toMatchObject(counts.map((count) => ({ count })));
  expect(valuesOf("updates")).toEqual(counts.slice(1).map((count) => ({ step: { count } })));
  const claims = await database.query("select claims from langgraph.runs");
  expect(claims).toEqual([{ claims: LIVES }]);
  await Promise.all(workers.map(async (worker) => worker[Symbol.asyncDispose]()));
});

test("a cancel from another process stops a node that awaits a sleep of 60 s with the signal", async () => {
  await using database = await diaryDatabase();
  await using first = await startWorker(program, database.url);
  await using second = await startWorker(program, database.url);
  const run = await create(first, "sleeper", "");
  await untilExecuted(database, ["sleep null"]);
  expect((await second.post(`/graphs/sleeper/runs/${run.run_id}/cancel`, {})).status).toBe(202);
  await untilStatus(database, run.run_id, "interrupted");
  await untilExecuted(database, ["sleep stopped"]);
  expect(await unsettled(database.query)).toEqual([]);
});

test("an executor that lost its run without knowing changes nothing any more", async () => {
  await using database = await diaryDatabase();
  await using first = await startWorker(program, database.url);
  const run = await create(first, "fan", "gate");
  await untilExecuted(database, ["fast finished", "slow null"]);
  await untilSaved(database);
  process.kill(first.pid, "SIGSTOP"); // it neither runs nor ends: what it had in hand, it will go on with
  await using second = await startWorker(program, database.url);
  await lapse(database.query);
  await untilExecuted(database, ["fast finished", "slow null", "slow null"]);
  await database.query("insert into gates values ('gate')");
  await untilStatus(database, run.run_id, "success");
  const checkpoints = "select * from public.checkpoints order by checkpoint_id";
  const writes = "select * from public.checkpoint_writes order by checkpoint_id, task_id, idx";
  const runs = "select * from langgraph.runs";
  const threads = "select * from langgraph.threads";
  const look = async () =>
    Promise.all([checkpoints, writes, runs, threads].map(async (statement) => database.query(statement)));
  const before = [await look(), await log(database.query, run.thread_id)];

  process.kill(first.pid, "SIGCONT");
  // Its node finds the gate open and ends; that it serves a run afterwards shows that it is through with the other.
  await vi.waitFor(
    async () => expect(await executions(database.query)).not.toContainEqual("slow null"),
    patience,
  );
  const other = await create(first, "quick", "other");
  await untilStatus(database, other.run_id, "success");
  await database.query("delete from langgraph.threads where thread_id = $1", [other.thread_id]);
  await database.query("delete from public.checkpoints where thread_id = $1", [other.thread_id]);
  await database.query("delete from public.checkpoint_writes where thread_id = $1", [other.thread_id]);
  expect([await look(), await log(database.query, run.thread_id)]).toEqual(before);
  expect((await second.get(`/graphs/fan/runs/${run.run_id}`)).body).toMatchObject({ status: "success" });
});
