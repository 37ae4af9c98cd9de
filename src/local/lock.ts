/** Processes that share a folder, and take turns. */

import { randomUUID } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises"; // no clock of ours decides between processes

const ATTEMPTS = 1_200;
const PAUSE_MS = 50;

/** Ours alone: in a container, a process that was killed often had the id that we have now. */
const NAME = `${process.pid} ${randomUUID()}`;

/**
 * Waits until no other process holds the lock, which is a file that names its holder; one that was killed holds nothing.
 * @throws Error after a minute, with what to do
 */
export async function takeTurn(file: string): Promise<AsyncDisposable> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    if (await create(file)) return { [Symbol.asyncDispose]: async () => rm(file, { force: true }) };
    if (await isAbandoned(file)) await removeAbandoned(file);
    else await wait(PAUSE_MS);
  }
  throw new Error(
    `Another process has been starting or stopping for a minute. If there is none, remove ${file}`,
  );
}

/** Of all who have seen it, one at a time, who looks again: else the second would remove the lock that the first has got since. */
async function removeAbandoned(file: string): Promise<void> {
  await using _turn = await takeTurn(`${file}.abandoned`);
  if (await isAbandoned(file)) await rm(file, { force: true });
}

/** False when it is there already. */
async function create(file: string): Promise<boolean> {
  try {
    await writeFile(file, NAME, { flag: "wx" });
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

async function isAbandoned(file: string): Promise<boolean> {
  const holder = await readFile(file, "utf8").catch(() => ""); // gone, or just being written
  if (holder === "" || holder === NAME) return false;
  const pid = Number.parseInt(holder, 10);
  return pid === process.pid || !isAlive(pid);
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"; // alive, and somebody else's
  }
}
