/** The process that serves the project, as its parent sees it. */

import { spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { systemClock } from "../clock.ts";
import type { Variables } from "../environment.ts";
import { parseMessage, type ServerMessage } from "./messages.ts";

export interface ServerChild {
  /** Its exit code; null when a signal ended it. */
  readonly exit: Promise<number | null>;
  /** Resolves when it has ended: by itself, or, when it takes too long, by force. */
  readonly stop: () => Promise<void>;
}

export interface ServerChildOptions {
  /** For `findProject`. */
  readonly args: readonly string[];
  /** The project's: there the loader looks for a tsconfig.json. */
  readonly folder: string;
  readonly env: Variables;
  readonly tell: (message: ServerMessage) => void;
}

/** Longer than the server gives to clients that read slowly. */
const STOP_MS = 8_000;

export function startServerChild({ args, folder, env, tell }: ServerChildOptions): ServerChild {
  const entry = fileURLToPath(new URL(`./server-process${import.meta.url.slice(-3)}`, import.meta.url));
  const child = spawn(process.execPath, [entry, ...args], {
    cwd: folder,
    env,
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  child.on("message", (message) => tell(parseMessage(message)));
  const exit = exitCode(child);
  return {
    exit,
    stop: async () => {
      child.kill("SIGTERM");
      const patience = new AbortController();
      const isSlow = systemClock.sleep(STOP_MS, patience.signal).then(() => !patience.signal.aborted);
      if (await Promise.race([isSlow, exit.then(() => false)])) child.kill("SIGKILL");
      await exit;
      patience.abort();
    },
  };
}

async function exitCode(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once("exit", (code) => resolve(code)));
}
