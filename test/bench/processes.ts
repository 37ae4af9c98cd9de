/** The bench's child processes: bundles in dist/bench, stopped at the end of the scope. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export interface Child extends AsyncDisposable {
  /** What the first line on standard output that starts with the word goes on with. @throws Error when it ends before */
  readonly line: (word: string) => Promise<string>;
  /** Sends a message, and waits for the next one. */
  readonly ask: (message: object) => Promise<unknown>;
  /** The next message. */
  readonly told: () => Promise<unknown>;
}

export function program(name: string): string {
  return fileURLToPath(new URL(`${name}.js`, import.meta.url)); // this file is in dist/bench/main.js by then
}

export interface StartOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly hasIpc?: boolean;
}

export function start(path: string, { args = [], env = {}, cwd, hasIpc = false }: StartOptions = {}): Child {
  const { PATH = "" } = process.env;
  const child: ChildProcess = spawn(process.execPath, ["--max-old-space-size=1024", path, ...args], {
    env: { PATH, NODE_ENV: "production", ...env },
    ...(cwd === undefined ? {} : { cwd }),
    stdio: hasIpc ? ["ignore", "pipe", "pipe", "ipc"] : ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let errors = "";
  const exited = once(child, "exit");
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const failed = async (): Promise<never> => {
    await exited;
    throw new Error(`${path} ended:\n${(errors || output).slice(-2_000)}`);
  };
  const told = async (): Promise<unknown> => {
    const [message]: unknown[] = await Promise.race([once(child, "message"), failed()]);
    return message;
  };
  return {
    line: async (word) => {
      for (;;) {
        const found = output
          .split("\n")
          .slice(0, -1)
          .find((text) => text.startsWith(word));
        if (found !== undefined) return found.slice(word.length).trim();
        if (child.stdout === null) throw new Error("The process has no output");
        await Promise.race([once(child.stdout, "data"), failed()]);
      }
    },
    ask: async (message) => {
      const answer = told();
      child.send(message);
      return answer;
    },
    told,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      const killer = setTimeout(() => child.kill("SIGKILL"), 3_000);
      await exited;
      clearTimeout(killer);
    },
  };
}
