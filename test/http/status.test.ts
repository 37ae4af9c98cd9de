import { LangGraphApp, type AppOptions, type Check, type GraphSource } from "langgraph-functions";
import { expect, test, vi } from "vitest";
import { AppError } from "../../src/errors.ts";
import type { WakeUp, WakeUpQueue } from "../../src/core/wake-ups.ts";
import { VERSION } from "../../src/version.ts";
import { testDatabase } from "../support/database.ts";
import { gated, shout } from "../support/graphs.ts";
import { startServer } from "../support/server.ts";

const graphs = [{ name: "shout", graph: shout }];
const invocation = { signal: new AbortController().signal, authLevel: "admin" } as const;
const part = { latency_ms: expect.any(Number), checked_at: expect.any(String) };
const idle = { waiting: 0, running: 0, oldest_waiting_age_s: 0 };

interface HostOptions extends AppOptions {
  readonly graph?: GraphSource;
  readonly queue?: Partial<WakeUpQueue>;
}

/** An app behind a host whose queue keeps what it is sent. */
async function startHost({ graph = shout, queue = {}, ...options }: HostOptions = {}) {
  const database = await testDatabase();
  const sent: WakeUp[] = [];
  const lines: { readonly message: string; readonly fields: object }[] = [];
  const tell = (fields: object, message: string) => void lines.push({ fields, message });
  const logger = { info: tell, warn: tell, error: tell };
  const app = new LangGraphApp({ authLevel: "anonymous", logger, ...options });
  app.register({ name: "work", graph });
  const doors = app.doors({
    settings: { database: { url: database.url, poolSize: 4, migrate: false }, logLevel: "silent" },
    queue: {
      outlivesProcess: () => true,
      check: async () => undefined,
      depth: async () => ({ messages: sent.length }),
      send: async (wakeUp) => void sent.push(wakeUp),
      ...queue,
    },
  });
  const send = async (path: string, init?: RequestInit) => {
    const response = await doors.fetch(new Request(`http://here/api${path}`, init), invocation);
    return { status: response.status, body: Object(await response.json()) };
  };
  return {
    database,
    doors,
    lines,
    sent,
    get: async (path: string) => send(path),
    post: async (path: string, body: object) =>
      send(path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      }),
    [Symbol.asyncDispose]: async () => {
      await app[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

async function serverWith(checks: AppOptions["checks"]) {
  return startServer({ graphs, checks });
}

test("the status tells how the database, the queue and the runs are, and which version it is", async () => {
  await using server = await startServer({ graphs });
  const { status, body } = await server.get("/status");
  expect([status, body]).toEqual([
    200,
    {
      status: "ok",
      version: VERSION,
      database: { ...part, status: "ok", missing_migrations: 0 },
      queue: { ...part, status: "ok", messages: 0, dead_letters: null },
      runs: idle,
      checks: {},
    },
  ]);
  expect((await server.get("/status/summary")).body).toEqual({ status: "ok" });
});

test("runs that nobody has begun wait; those of a busy thread, those for later and those that have ended do not", async () => {
  const { graph, entered, open } = gated();
  await using host = await startHost({ graph });
  const create = async (thread: string, more: object = {}) =>
    host.post(`/threads/${thread}/runs`, {
      assistant_id: "work",
      input: { text: "a" },
      if_not_exists: "create",
      multitask_strategy: "enqueue",
      ...more,
    });
  for (const thread of ["executing", "executing", "executing", "waiting", "waiting", "other"])
    await create(thread);
  await create("later", { after_seconds: 3_600 });
  const [first] = host.sent;
  const working = host.doors.work(first, invocation);
  await entered;
  await host.database.query(
    "update langgraph.runs set due_at = due_at - interval '1 hour', updated_at = updated_at - interval '1 hour' where thread_id <> 'later'",
  );
  const { runs } = (await host.get("/status")).body;
  expect(runs).toEqual({ waiting: 2, running: 1, oldest_waiting_age_s: expect.any(Number) });
  expect(runs.oldest_waiting_age_s).toBeGreaterThanOrEqual(3_600);
  open();
  await working;
});

test("a run that was behind another of its thread waits since the other has ended", async () => {
  await using host = await startHost();
  const body = { assistant_id: "work", input: { text: "a" }, if_not_exists: "create" };
  await host.post("/threads/t/runs", body);
  await host.post("/threads/t/runs", body);
  await host.database.query(
    "update langgraph.runs set due_at = now() - interval '1 hour', updated_at = now() - interval '1 hour'",
  );
  const [first] = host.sent;
  await host.doors.work(first, invocation);
  const { runs } = (await host.get("/status")).body;
  expect(runs).toMatchObject({ waiting: 1, running: 0 });
  expect(runs.oldest_waiting_age_s).toBeLessThan(600);
});

test("what users check stands beside it; without an optional thing the app is degraded, without another it is down", async () => {
  const read = async () => {
    const response = new Response("pong");
    await response.text();
    return response;
  };
  const well = { model: read, "vector database": () => undefined, cache: () => new Response("pong") };
  await using server = await serverWith(well);
  expect(await server.get("/status")).toMatchObject({
    status: 200,
    body: {
      status: "ok",
      checks: { model: { ...part, status: "ok", is_required: true }, "vector database": { status: "ok" } },
    },
  });

  const fails = async () => {
    throw new Error("no");
  };
  await using degraded = await serverWith({ cache: { check: fails, isRequired: false }, model: () => true });
  expect(await degraded.get("/status")).toMatchObject({
    status: 200,
    body: { status: "degraded", checks: { cache: { status: "down", is_required: false } } },
  });
  expect(await degraded.get("/status/summary")).toMatchObject({ status: 200, body: { status: "degraded" } });

  await using down = await serverWith({ model: fails, cache: { check: () => true, isRequired: false } });
  expect(await down.get("/status")).toMatchObject({
    status: 503,
    body: { status: "down", database: { status: "ok" }, checks: { model: { status: "down" } } },
  });
  expect(await down.get("/status/summary")).toMatchObject({ status: 503, body: { status: "down" } });
});

test.each<[string, Check, string]>([
  [
    "throws",
    () => {
      throw new Error("password=hunter22 at 10.1.2.3");
    },
    "It failed",
  ],
  [
    "rejects",
    async () => {
      throw new Error("password=hunter22 at 10.1.2.3");
    },
    "It failed",
  ],
  ["gives false", async () => false, "It says that it is not well"],
  [
    "gives an answer that is not ok",
    async () => new Response("hunter22", { status: 502 }),
    "It answers with the status 502",
  ],
])(
  "a check that %s is down; why is in the log, under the id that callers are given",
  async (_, check, words) => {
    await using server = await serverWith({ model: check });
    const { text, body } = await server.get("/status");
    const { detail } = Object(body).checks.model;
    const [, id] = /^(?:.+) \(error id ([0-9a-f-]{36})\)$/.exec(detail) ?? [];
    expect(detail).toBe(`${words} (error id ${id})`);
    expect(text).not.toMatch(/hunter22|10\.1\.2\.3/);
    expect(server.errors).toEqual([
      {
        message: "A check of the status failed",
        fields: { error_id: id, check: "model", err: expect.any(Error), request_id: expect.any(String) },
      },
    ]);
  },
);

test("a check that hangs is down when its time is over, has its signal aborted, and is not asked again until it lets go", async () => {
  const signals: AbortSignal[] = [];
  let letGo = (): void => undefined;
  const hanging = new Promise<void>((resolve) => (letGo = resolve));
  const check = async (signal: AbortSignal) => {
    signals.push(signal);
    await hanging;
  };
  await using server = await serverWith({ model: { check, timeoutMs: 50, maxAgeMs: 0 } });
  for (let asked = 0; asked < 3; asked += 1) {
    const { status, body } = await server.get("/status");
    expect(status).toBe(503);
    expect(Object(body).checks.model.detail).toMatch(/^It has not answered within 50 ms /);
  }
  expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
  letGo();
  expect((await server.get("/status")).status).toBe(200);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
});

test("however many ask at a time, and soon after, each thing is asked once", async () => {
  let asked = 0;
  let answer = (): void => undefined;
  const answered = new Promise<void>((resolve) => (answer = resolve));
  const check = async () => {
    asked += 1;
    await answered;
  };
  await using server = await serverWith({ model: { check, maxAgeMs: 60_000 } });
  const asking = Array.from({ length: 20 }, async () => server.get("/status"));
  await vi.waitFor(() => expect(asked).toBe(1), 15_000);
  answer();
  const bodies = (await Promise.all(asking)).map(({ body }) => Object(body).checks.model);
  expect(new Set(bodies.map((body) => JSON.stringify(body))).size).toBe(1);
  await server.get("/status");
  expect(asked).toBe(1);
});

test("an answer that is too old is asked for again", async () => {
  let asked = 0;
  await using server = await serverWith({ model: { check: () => (asked += 1), maxAgeMs: 0 } });
  await server.get("/status");
  await server.get("/status");
  expect(asked).toBe(2);
});

test("without the queue background runs do not start: the app is down, and the rest is told", async () => {
  const away = new AppError("unavailable", "The run queue cannot be reached", {
    cause: new Error("ECONNREFUSED secret"),
  });
  await using host = await startHost({ queue: { depth: async () => Promise.reject(away) } });
  expect(await host.get("/status")).toMatchObject({
    status: 503,
    body: {
      status: "down",
      database: { status: "ok" },
      queue: {
        status: "down",
        messages: null,
        detail: expect.stringMatching(/^The run queue cannot be reached \(error id [0-9a-f-]{36}\)$/),
      },
      runs: idle,
    },
  });
});

test("a queue that is not set up at all is off, and nothing is wrong with that", async () => {
  const missing = async (): Promise<never> => {
    throw new AppError("unavailable", "Background runs need a queue");
  };
  const none = { outlivesProcess: () => false, check: missing, depth: missing };
  await using host = await startHost({ queue: none });
  expect(await host.get("/status")).toMatchObject({
    status: 200,
    body: { status: "ok", queue: { status: "off", messages: null, dead_letters: null } },
  });
  expect(host.lines).toEqual([]);
});

test("a schema that is older than the release degrades the app", async () => {
  await using host = await startHost();
  const [{ version } = {}] = await host.database.query(
    "select max(version) as version from langgraph.migrations",
  );
  await host.database.query("delete from langgraph.migrations where version = $1", [version]);
  const answer = await host.get("/status");
  await host.database.query("insert into langgraph.migrations (version) values ($1)", [version]);
  expect(answer).toMatchObject({
    status: 200,
    body: {
      status: "degraded",
      database: { status: "degraded", missing_migrations: 1, detail: expect.stringContaining("migrate") },
    },
  });
});
