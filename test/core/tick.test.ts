import { randomUUID } from "node:crypto";
import { LangGraphApp, type AppOptions } from "langgraph-functions";
import { Client } from "pg";
import { expect, onTestFinished, test, vi } from "vitest";
import { assistantIdOf } from "../../src/core/default-assistants.ts";
import type { WakeUp } from "../../src/core/wake-ups.ts";
import type { Doors } from "../../src/core/model.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { shout } from "../support/graphs.ts";
import { startServer } from "../support/server.ts";

interface Sent {
  readonly wakeUp: WakeUp;
  readonly notBefore: Date | undefined;
}

interface Ticked extends AsyncDisposable {
  readonly database: TestDatabase;
  readonly tick: Doors["tick"];
  readonly sent: Sent[];
  /** What was logged about ticks. */
  readonly told: object[];
}

const invocation = { signal: new AbortController().signal, authLevel: "admin" } as const;
const nothing = { recovered: 0, resent: 0, fired: 0, expired: 0 };

/** An app whose queue keeps what it is sent, or refuses all. */
async function open({
  refuses = false,
  ...options
}: AppOptions & { refuses?: boolean } = {}): Promise<Ticked> {
  const database = await testDatabase();
  const sent: Sent[] = [];
  const queue = {
    send: async (wakeUp: WakeUp, { notBefore }: { notBefore?: Date | undefined } = {}) => {
      if (refuses) throw new Error("The queue is away");
      sent.push({ wakeUp, notBefore });
    },
    check: async () => undefined,
    depth: async () => ({ messages: 0 }),
    outlivesProcess: () => true,
  };
  const told: object[] = [];
  const logger = {
    info: (fields: object, message: string) => void (message === "Tick" && told.push(fields)),
    warn: () => undefined,
    error: () => undefined,
  };
  const app = new LangGraphApp({ logger, ...options }).register({ name: "shout", graph: shout });
  const settings = {
    database: { url: database.url, poolSize: 2, migrate: false },
    logLevel: "silent",
  } as const;
  const doors = app.doors({ settings, queue });
  return {
    database,
    sent,
    told,
    tick: doors.tick,
    [Symbol.asyncDispose]: async () => {
      await app[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

/** A run on a thread of its own, with as many events, all of it as old as that. */
async function store({ query }: TestDatabase, status: string, ago: string, events = 1): Promise<string> {
  const id = randomUUID();
  await query(
    `with thread as (
       insert into langgraph.threads (thread_id, status, created_at, updated_at, state_updated_at, active_runs)
       select $1::text, 'idle', now(), now(), now(), 1)
     insert into langgraph.runs (run_id, thread_id, assistant_id, graph_id, status, kwargs, multitask_strategy, created_at,
       updated_at, due_at, woken_at, claims, attempt, lease_id, lease_until)
     select $1::text::uuid, $1::text, $1::text::uuid, 'shout', $2::text, '{"config": {}, "stream_mode": ["values"]}', 'enqueue', now() - $3::text::interval,
       now() - $3::text::interval, now() - $3::text::interval, now(), 1, 1,
       case when $2::text = 'running' then $1::text::uuid end, case when $2::text = 'running' then now() - $3::text::interval end`,
    [id, status, ago],
  );
  await storeEvents({ query }, id, ago, events);
  return id;
}

async function storeEvents({ query }: Pick<TestDatabase, "query">, id: string, ago: string, events: number) {
  await query(
    `insert into langgraph.events (thread_id, seq, run_id, event, data, created_at)
     select $1::text, n, $1::text::uuid, 'values', '{}', now() - $2::interval from generate_series(1, $3::int) n`,
    [id, ago, events],
  );
}

/** Due now, and then on the first or the second of a month. */
async function storeCrons({ query }: TestDatabase, crons: number): Promise<void> {
  await query(
    `insert into langgraph.crons (cron_id, assistant_id, schedule, enabled, on_run_completed, payload, next_run_date, created_at, updated_at)
     select gen_random_uuid(), $1, '0 0 1 ' || (n % 2 + 1) || ' *', true, 'keep', '{"input": {"text": "a"}}', now(), now(), now()
     from generate_series(1, $2::int) n`,
    [assistantIdOf("shout"), crons],
  );
}

async function idsWithEvents({ query }: TestDatabase): Promise<readonly string[]> {
  const found = await query("select distinct thread_id from langgraph.events");
  return found.map(({ thread_id }) => String(thread_id));
}

test("a tick that finds nothing due costs one query", async () => {
  await using app = await open();
  await store(app.database, "success", "1 hour");
  await app.tick(invocation); // it has connected by now
  const query = vi.spyOn(Client.prototype, "query");
  onTestFinished(() => query.mockRestore());
  expect(await app.tick(invocation)).toEqual(nothing);
  expect(query).toHaveBeenCalledTimes(1);
});

const quiet = { ...nothing, waiting_runs: 0, running_runs: 0, oldest_waiting_run_age_s: 0 };

test("each tick tells in one line what it did, how many runs wait and execute, and how long the oldest has waited", async () => {
  await using app = await open();
  await app.tick(invocation);
  expect(app.told.splice(0)).toEqual([quiet]);

  await store(app.database, "pending", "10 minutes", 0);
  await store(app.database, "pending", "3 minutes", 0);
  await store(app.database, "running", "-1 minute", 0);
  await store(app.database, "success", "2 days", 3_500);
  await app.tick(invocation);
  expect(app.told).toEqual([
    {
      ...quiet,
      expired: 3_500,
      waiting_runs: 2,
      running_runs: 1,
      oldest_waiting_run_age_s: expect.any(Number),
    },
  ]);
  const age = Number(Object(app.told[0]).oldest_waiting_run_age_s);
  expect(age).toBeGreaterThanOrEqual(600);
  expect(age).toBeLessThan(1_200);
});

test("a tick of which a step fails tells its line all the same: the alarms are for just that", async () => {
  await using app = await open({ refuses: true });
  await store(app.database, "pending", "10 minutes", 0);
  await storeCrons(app.database, 1);
  await expect(app.tick(invocation)).rejects.toThrow("The queue is away");
  expect(app.told).toEqual([{ ...quiet, waiting_runs: 1, oldest_waiting_run_age_s: expect.any(Number) }]);
});

test("on a machine of one's own, where ticks come each second, those that did nothing are not told", async () => {
  const told: string[] = [];
  const logger = {
    info: (_: object, message: string) => void told.push(message),
    warn: () => undefined,
    error: () => undefined,
  };
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }], logger });
  const query = vi.spyOn(Client.prototype, "query");
  onTestFinished(() => query.mockRestore());
  await vi.waitFor(() => expect(query.mock.calls.length).toBeGreaterThanOrEqual(3), { timeout: 20_000 });
  expect(told).not.toContain("Tick");
  await storeCrons(server.database, 1);
  await vi.waitFor(() => expect(told).toContain("Tick"), { timeout: 20_000 });
});

test("a tick removes the events of runs that ended a day ago, and of temporary ones that are gone; all others stay", async () => {
  await using app = await open();
  const { database } = app;
  await store(database, "success", "25 hours", 3);
  await storeEvents(database, randomUUID(), "25 hours", 2);
  const kept = [
    await store(database, "success", "23 hours"),
    await store(database, "pending", "25 hours"),
    await store(database, "interrupted", "1 second", 0), // it took more than a day
  ];
  await storeEvents(database, kept[2] ?? "", "25 hours", 1);
  expect(await app.tick(invocation)).toEqual({ ...nothing, expired: 5 });
  expect((await idsWithEvents(database)).toSorted()).toEqual(kept.toSorted());
  expect(await database.query("select count(*)::int as runs from langgraph.runs")).toEqual([{ runs: 4 }]);
});

test("however much has expired, one tick that has the time removes all of it", async () => {
  await using app = await open();
  await store(app.database, "success", "2 days", 3_500);
  expect(await app.tick(invocation)).toEqual({ ...nothing, expired: 3_500 });
});

test("a tick that is short of time leaves the rest to the next one", async () => {
  await using app = await open();
  await store(app.database, "success", "2 days", 3_500);
  const deadline = new Date(Date.now() + 1_000);
  expect((await app.tick({ ...invocation, deadline })).expired).toBe(1_000);
  expect((await app.tick(invocation)).expired).toBe(2_500);
});

test("a tick removes the counters of rate limits that have run out", async () => {
  await using app = await open();
  await app.database.query("insert into langgraph.rate_limits values ('old', 1, $1), ('new', 1, $2)", [
    Date.now() - 1_000,
    Date.now() + 60_000,
  ]);
  expect(await app.tick(invocation)).toEqual({ ...nothing, expired: 1 });
  expect(await app.database.query("select key from langgraph.rate_limits")).toEqual([{ key: "new" }]);
});

test("a tick removes resume links that have expired, used or not", async () => {
  await using app = await open();
  const run = await store(app.database, "success", "1 hour", 0);
  await app.database.query(
    `insert into langgraph.resume_links (link_id, run_id, interrupt_id, created_at, expires_at, used_at)
     select gen_random_uuid(), $1, n::text, now(), now() + (n - 1500) * interval '1 minute',
       case when n % 2 = 0 then now() end
     from generate_series(1, 1600) n`,
    [run],
  );
  expect(await app.tick(invocation)).toEqual({ ...nothing, expired: 1_500 });
  expect(await app.database.query("select min(interrupt_id) as first from langgraph.resume_links")).toEqual([
    { first: "1501" },
  ]);
});

test("a step that fails keeps no other from what it has to do, and the tick says that one has failed", async () => {
  await using app = await open({ refuses: true });
  const { database } = app;
  await storeCrons(database, 1);
  const lapsed = await store(database, "running", "1 minute", 0);
  const expired = await store(database, "success", "2 days");
  await expect(app.tick(invocation)).rejects.toThrow("The queue is away");
  expect(await database.query("select status from langgraph.runs where run_id = $1", [lapsed])).toEqual([
    { status: "pending" },
  ]);
  expect(await idsWithEvents(database)).not.toContain(expired);
});

test("a run that cannot be given up keeps no other from its end, and none without a client from being cancelled", async () => {
  await using app = await open();
  const { database } = app;
  const exhausted = [
    await store(database, "running", "3 minutes", 0),
    await store(database, "running", "2 minutes", 0),
    await store(database, "running", "1 minute", 0),
  ];
  await database.query("update langgraph.runs set attempt = 3, started_at = created_at");
  const abandoned = await store(database, "pending", "10 seconds", 0);
  await database.query(
    "update langgraph.runs set claims = 0, client_due_at = now() - interval '1 second' where run_id = $1",
    [abandoned],
  );
  await database.query(`
    create function public.refuse() returns trigger language plpgsql as $$ begin
      raise exception 'This run has no end';
    end $$`);
  await database.query(`
    create trigger refuse before update on langgraph.runs for each row
    when (new.status = 'error' and new.run_id = '${exhausted[0]}') execute function public.refuse()`);
  await expect(app.tick(invocation)).rejects.toThrow("This run has no end");
  const ended = await database.query(
    "select run_id from langgraph.runs where status in ('error', 'interrupted')",
  );
  expect(ended.map(({ run_id }) => String(run_id)).toSorted()).toEqual(
    [...exhausted.slice(1), abandoned].toSorted(),
  );
});

test("however many idempotency keys and given up webhooks are old, a tick removes a part of them at a time", async () => {
  await using app = await open();
  const { database } = app;
  await database.query(
    `insert into langgraph.idempotency_keys (key, digest, thread_id, created_at)
     select n::text, '', '', now() - (n - 0.5) * interval '1 minute' from generate_series(1, 1440 + 2500) n`,
  );
  await database.query(
    `insert into langgraph.webhooks (webhook_id, url, body, created_at, due_at, failed_at)
     select gen_random_uuid(), 'http://example.com', '{}', now(), now(), now() - (n - 0.5) * interval '1 minute'
     from generate_series(1, 7 * 1440 + 2500) n`,
  );
  const kept = async () =>
    database.query(
      `select (select count(*)::int from langgraph.idempotency_keys) as keys,
        (select count(*)::int from langgraph.webhooks) as webhooks`,
    );
  const deadline = new Date(Date.now() + 1_000);
  expect((await app.tick({ ...invocation, deadline })).expired).toBe(2_000);
  expect(await kept()).toEqual([{ keys: 1440 + 1500, webhooks: 7 * 1440 + 1500 }]);
  expect((await app.tick(invocation)).expired).toBe(3_000);
  expect(await kept()).toEqual([{ keys: 1440, webhooks: 7 * 1440 }]);
});

test("a tick that fires crons sends one wake-up for each of their next times", async () => {
  await using app = await open();
  await storeCrons(app.database, 6);
  expect(await app.tick(invocation)).toEqual({ ...nothing, fired: 6 });
  const times = app.sent.flatMap(({ wakeUp, notBefore }) => ("tick" in wakeUp ? [notBefore?.getTime()] : []));
  const next = await app.database.query(
    "select distinct extract(epoch from next_run_date)::float8 * 1000 as time from langgraph.crons",
  );
  expect(new Set(times)).toEqual(new Set(next.map(({ time }) => time)));
  expect(times).toHaveLength(2);
  expect(app.sent.filter(({ wakeUp }) => "run_id" in wakeUp)).toHaveLength(6);
});

test("a local server that is stopped in the middle of a tick lets it end", async () => {
  await using database = await testDatabase();
  const graphs = [{ name: "shout", graph: shout }];
  const server = await startServer({ graphs, local: { databaseUrl: database.url } });
  const holder = new Client({ connectionString: database.directUrl });
  await holder.connect();
  await holder.query(`
    begin;
    lock table langgraph.resume_links in access exclusive mode;
    insert into langgraph.rate_limits (key, expire) values ('once', 1)`); // what the tick will find to do
  const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  await vi.waitFor(async () => expect(await database.query(waiting)).toHaveLength(1), { timeout: 20_000 });
  const stopped = server[Symbol.asyncDispose]();
  await holder.query("commit");
  await stopped;
  await holder.end();
  expect(server.errors).toEqual([]);
});
