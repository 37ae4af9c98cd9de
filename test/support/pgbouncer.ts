/** A pooler in transaction mode before the tests' Postgres: Debian's PgBouncer, with few connections to share. */

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { freePort } from "../local/network.ts";

/** As whom it runs where we are root, as which it refuses to. */
const NOBODY = { uid: 65_534, gid: 65_534 };
/** Of one user to one database: fewer than the tests' servers open. */
const SERVER_CONNECTIONS = 4;

export interface PgBouncer extends AsyncDisposable {
  readonly port: number;
}

/** `users` by name, with the password that they have on both sides. */
export async function startPgBouncer(
  server: string,
  users: Readonly<Record<string, string>>,
): Promise<PgBouncer> {
  const version = findVersion();
  const folder = await mkdtemp(join(tmpdir(), "langgraph-functions-pgbouncer-"));
  const port = await freePort();
  const write = async (name: string, lines: readonly string[]): Promise<string> => {
    const file = join(folder, name);
    await writeFile(file, `${lines.join("\n")}\n`, { mode: 0o644 });
    return file;
  };
  const usersFile = await write(
    "users.txt",
    Object.entries(users).map(([name, password]) => `"${name}" "${password}"`),
  );
  const config = await write("pgbouncer.ini", [
    "[databases]",
    `* = host=127.0.0.1 port=${new URL(server).port}`,
    "[pgbouncer]",
    "listen_addr = 127.0.0.1",
    `listen_port = ${port}`,
    "unix_socket_dir =",
    "auth_type = scram-sha-256",
    `auth_file = ${usersFile}`,
    "pool_mode = transaction",
    `default_pool_size = ${SERVER_CONNECTIONS}`,
    "max_client_conn = 2000",
    "server_round_robin = 1", // whatever a client leaves behind on a connection, another one finds soon
    "server_idle_timeout = 10",
    ...(version >= 1.21 ? ["max_prepared_statements = 0"] : []), // before, it knew none
  ]);
  const isRoot = process.getuid?.() === 0;
  if (isRoot) await chown(folder, NOBODY.uid, NOBODY.gid);
  await chmod(folder, 0o755);
  const child = spawn("pgbouncer", [config], {
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe"],
    ...(isRoot ? NOBODY : {}),
  });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (log = `${log}${text}`.slice(-4_000)));
  const exited = once(child, "exit");
  const [[user, password] = ["", ""]] = Object.entries(users);
  const url = `postgres://${user}:${password}@127.0.0.1:${port}/postgres`;
  for (let answers = await isServing(url); !answers; answers = await isServing(url)) {
    if (child.exitCode !== null) throw new Error(`PgBouncer does not start:\n${log}`);
    await delay(50);
  }
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL"); // its clients are gone
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** @throws Error that says what to install */
function findVersion(): number {
  const { stdout, error } = spawnSync("pgbouncer", ["--version"], { encoding: "utf8" });
  const [, version] = /PgBouncer (\d+\.\d+)/.exec(stdout ?? "") ?? [];
  if (version !== undefined) return Number(version);
  throw new Error("These tests need the program pgbouncer: apt-get install pgbouncer", { cause: error });
}

async function isServing(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url });
  return client.connect().then(
    async () => client.end().then(() => true),
    () => false,
  );
}
