import { spawn } from "node:child_process";
import { once } from "node:events";
import { randomUUID } from "node:crypto";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { expect, test, vi } from "vitest";
import { findBinaries, findPlace } from "../../src/local/place.ts";
import { startEmbeddedPostgres } from "langgraph-functions/local";
import {
  buildWorker,
  diaryDatabase,
  forget,
  startWorkers,
  unsettled,
  type WorkerProcess,
} from "../support/processes.ts";

interface OwnPostgres extends AsyncDisposable {
  readonly url: string;
  /** Ends it as a crash does, and starts it again at the same address. */
  readonly crash: () => Promise<void>;
  readonly query: (text: string) => Promise<Record<string, unknown>[]>;
}

async function ownPostgres(): Promise<OwnPostgres> {
  const folder = await mkdtemp(join(tmpdir(), "langgraph-functions-restart-"));
  await chmod(folder, 0o755);
  const settings = { shared_buffers: "32MB" };
  const postgres = await startEmbeddedPostgres({ folder, settings });
  const { binaries, home, user } = await findPlace(folder, await findBinaries());
  return {
    url: postgres.url,
    crash: async () => {
      const options = ["-w", "-m", "immediate", "-D", join(home, "data"), "-l", join(home, "postgres.log")];
      const child = spawn(join(binaries, "pg_ctl"), ["restart", ...options], {
        ...user,
        cwd: home,
        stdio: "ignore",
      });
      expect(await once(child, "exit")).toEqual([0, null]);
    },
    query: async (text) => {
      const client = new Client({ connectionString: postgres.url });
      await client.connect();
      const { rows } = await client.query<Record<string, unknown>>(text);
      await client.end();
      return rows;
    },
    [Symbol.asyncDispose]: async () => {
      await postgres[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

interface Load extends AsyncDisposable {
  /** How often each status was answered. */
  readonly answers: ReadonlyMap<number, number>;
  /** Background runs that were accepted. */
  readonly accepted: readonly string[];
}

/** Clients who ask one thing after the other, until the load is disposed of. */
function load(workers: readonly WorkerProcess[]): Load {
  const answers = new Map<number, number>();
  const accepted: string[] = [];
  const over = new AbortController();
  const ask = async (worker: WorkerProcess, path: string): Promise<void> => {
    while (!over.signal.aborted) {
      const body = { input: { text: "a" }, config: { configurable: { thread_id: randomUUID() } } };
      const answer = await worker.post(`/graphs/quick/${path}`, body);
      answers.set(answer.status, (answers.get(answer.status) ?? 0) + 1);
      if (answer.status === 202) accepted.push(answer.runId);
    }
  };
  const clients = workers.flatMap((worker) => [
    ask(worker, "runs"),
    ask(worker, "invoke"),
    ask(worker, "invoke"),
  ]);
  return {
    answers,
    accepted,
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await Promise.all(clients);
    },
  };
}

test("while Postgres crashes and comes back, clients hear of it, no run is lost, and the servers recover", async () => {
  await using postgres = await ownPostgres();
  await using program = await buildWorker();
  await using diary = await diaryDatabase(); // elsewhere: the nodes themselves do not fail
  await using workers = await startWorkers(program, postgres.url, 2, { DIARY_URL: diary.url });
  const accepted: string[] = [];
  {
    await using clients = load(workers);
    const served = () => (clients.answers.get(200) ?? 0) + (clients.answers.get(202) ?? 0);
    await vi.waitFor(() => expect(served()).toBeGreaterThan(30), { timeout: 90_000 });
    await postgres.crash();
    const before = served();
    await vi.waitFor(() => expect(served()).toBeGreaterThan(before + 30), { timeout: 90_000 });
    accepted.push(...clients.accepted);
    expect([200, 202, 503]).toEqual(expect.arrayContaining([...clients.answers.keys()]));
  }
  await vi.waitFor(
    async () => {
      await forget(postgres.query); // runs whose message was lost, and runs whose admission was never answered:
      await postgres.query(lost); // they were claimed for an invocation that gave up
      expect(await unsettled(postgres.query)).toEqual([]);
    },
    { timeout: 90_000, interval: 500 },
  );
  const found = await postgres.query("select run_id, status, output -> 'texts' as texts from langgraph.runs");
  const runs = new Map(found.map(({ run_id, ...run }) => [run_id, run]));
  expect(accepted.map((runId) => runs.get(runId))).toEqual(
    accepted.map(() => ({ status: "success", texts: ["a"] })),
  );
  expect(
    await postgres.query(`select distinct status, "values" -> 'texts' as texts from langgraph.threads`),
  ).toEqual([{ status: "idle", texts: ["a"] }]); // no superstep was applied twice
});

/** Runs that say nothing any more. */
const lost = `update langgraph.runs set lease_until = now() - interval '1 second'
  where status = 'running' and lease_until < now() + interval '26 seconds'`;
