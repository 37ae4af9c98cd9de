/** The built program, `dist/functions/local.js`, as a process of its own: what `npm start` runs. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("../../dist/functions/local.js", import.meta.url));

export interface ProgramOptions {
  /** Where it is started, and keeps its data. */
  readonly folder: TestFolder;
  /** All that it gets of the environment, but for PATH; without a PORT, it takes any free one. */
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** Default: `npm start`'s. */
  readonly program?: string;
}

/** A program that has been started; it may not serve yet, or never. Disposing of it stops it. */
export interface Program extends AsyncDisposable {
  /** What it has printed until now. */
  readonly output: () => string;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Its exit code; null when a signal ended it. */
  readonly exit: Promise<number | null>;
  /** Resolves when it serves. @throws Error with the output when it ends before */
  readonly serving: () => Promise<void>;
}

export interface ServingProgram extends Program {
  /** Ends with the prefix: `http://127.0.0.1:12345/api`. */
  readonly url: string;
}

export function launch({ folder, env = {}, args = [], program = PROGRAM }: ProgramOptions): Program {
  const { PATH = "" } = process.env;
  const child = spawn(process.execPath, [program, ...args], {
    cwd: folder.path,
    env: { PATH, PORT: "0", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (more: string) => {
      text += more;
      folder.note(text);
    });
  }
  const exit = exitCode(child);
  return {
    output: () => text,
    kill: (signal) => void child.kill(signal),
    exit,
    serving: async () => {
      while (!text.includes("Ctrl-C stops it.")) {
        const ended = exit.then((code) => `The program ended with ${code}:\n${text}`);
        const problem = await Promise.race([ended, once(child.stdout, "data").then(() => undefined)]);
        if (problem !== undefined) throw new Error(problem);
      }
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await exit;
    },
  };
}

/** Starts the program and waits until it serves. */
export async function startProgram(options: ProgramOptions): Promise<ServingProgram> {
  const program = launch(options);
  await program.serving();
  const [, url = ""] = /Serving on (\S+)/.exec(program.output()) ?? [];
  return { ...program, url };
}

/** Runs the program to its end. */
export async function runProgram(options: ProgramOptions): Promise<{ code: number | null; output: string }> {
  await using program = launch(options);
  return { code: await program.exit, output: program.output() };
}

async function exitCode(child: ChildProcess): Promise<number | null> {
  const [code]: (number | null)[] = await once(child, "close");
  return code ?? null;
}

/** A working directory for programs, gone at the end of the scope together with any Postgres that still runs on it. */
export interface TestFolder extends AsyncDisposable {
  readonly path: string;
  /** The Postgres that runs on the folder's data; undefined when none does. */
  readonly postgres: () => Promise<{ readonly pid: number; readonly port: number } | undefined>;
  /** Learns from what a program prints where it keeps its data. */
  readonly note: (output: string) => void;
}

export async function testFolder({ mode = 0o755 } = {}): Promise<TestFolder> {
  const path = await mkdtemp(join(tmpdir(), "langgraph-functions-program-"));
  await chmod(path, mode);
  let home = join(path, ".langgraph-functions");
  const postgres: TestFolder["postgres"] = async () => {
    const lines = (await readFile(join(home, "data", "postmaster.pid"), "utf8").catch(() => "")).split("\n");
    return lines.length > 1 ? { pid: Number(lines[0]), port: Number(lines[3]) } : undefined;
  };
  return {
    path,
    postgres,
    note: (output) => (home = /embedded Postgres in (.+)/.exec(output)?.[1] ?? home),
    [Symbol.asyncDispose]: async () => {
      const left = await postgres();
      if (left !== undefined) process.kill(left.pid, "SIGQUIT");
      const gone = { recursive: true, force: true, maxRetries: 10 };
      await rm(path, gone);
      if (!home.startsWith(path)) await rm(join(home, ".."), gone); // where root keeps what others cannot reach
    },
  };
}
