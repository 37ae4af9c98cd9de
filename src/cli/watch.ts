/** Changes of a project's sources. */

import { watch, type FSWatcher } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { systemClock } from "../clock.ts";

export interface Sources extends Disposable {
  /** The file that changed, at the next change. */
  readonly changed: () => Promise<string>;
}

const CODE = new Set([".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs"]);

/** Editors write a file in several steps, and tools many files. */
const SETTLE_MS = 100;

/**
 * Watches code, and these other files by their names, in folders and those below; not what packages and tools keep in
 * `node_modules` and in folders with a dot. What a graph writes as data is none of our business.
 */
export async function watchSources(folders: readonly string[], names: readonly string[]): Promise<Sources> {
  const watchers = new Map<string, FSWatcher>();
  let report: (file: string) => void = () => undefined;
  const isSource = (name: string): boolean => CODE.has(extname(name)) || names.includes(basename(name));
  const enter = async (folder: string): Promise<void> => {
    if (watchers.has(folder)) return;
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => undefined); // it may be gone by now
    if (entries === undefined || watchers.has(folder)) return;
    const watcher = watch(folder, (_, name) => {
      if (name === null) return;
      if (isSource(name)) report(join(folder, name));
      else if (isWatchable(name)) void enter(join(folder, name)); // it may be a new folder
    });
    watcher.on("error", () => leave(folder));
    watchers.set(folder, watcher);
    const below = entries.filter((entry) => entry.isDirectory() && isWatchable(entry.name));
    await Promise.all(below.map(async ({ name }) => enter(join(folder, name))));
  };
  const leave = (folder: string): void => {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  };
  await Promise.all(folders.map(enter));
  return {
    changed: async () => {
      const file = await new Promise<string>((resolve) => (report = resolve));
      await systemClock.sleep(SETTLE_MS);
      return file;
    },
    [Symbol.dispose]: () => {
      for (const folder of watchers.keys()) leave(folder);
    },
  };
}

function isWatchable(name: string): boolean {
  return name !== "node_modules" && !name.startsWith(".");
}
