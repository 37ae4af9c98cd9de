import { fork } from "node:child_process";
import { once } from "node:events";
import { cp } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { buildWorker } from "../support/processes.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";

export interface FuzzedServer extends AsyncDisposable {
  /** Ends with the prefix: `http://127.0.0.1:12345/api`. */
  readonly url: string;
  readonly database: TestDatabase;
  /** What it has logged as errors. */
  readonly errors: readonly string[];
  /** Bytes of its heap that are in use after a collection of garbage. */
  readonly heap: () => Promise<number>;
  readonly isAlive: () => boolean;
}

const Told = z.object({ url: z.string(), heap: z.number(), error: z.string() }).partial();

export async function startFuzzedServer(): Promise<FuzzedServer> {
  const database = await testDatabase();
  const program = await buildWorker({ source: fileURLToPath(new URL("server.ts", import.meta.url)) });
  const assets = fileURLToPath(new URL("../../src/http/assets", import.meta.url));
  await cp(assets, join(dirname(program.entry), "assets"), { recursive: true });
  const { PATH = "" } = process.env;
  const child = fork(program.entry, {
    execArgv: ["--max-old-space-size=512"],
    env: { PATH, DATABASE_URL: database.url },
    serialization: "json",
  });
  const closed = once(child, "close");
  const errors: string[] = [];
  let onHeap = (_bytes: number): void => undefined;
  let onUrl = (_url: string): void => undefined;
  const served = new Promise<string>((resolve, reject) => {
    onUrl = resolve;
    void closed.then(() => reject(new Error("The server's process has ended")));
  });
  child.on("message", (message) => {
    const told = Told.parse(message);
    if (told.url !== undefined) onUrl(told.url);
    if (told.heap !== undefined) onHeap(told.heap);
    if (told.error !== undefined) errors.push(told.error);
  });
  return {
    url: await served,
    database,
    errors,
    heap: async () =>
      new Promise((resolve) => {
        onHeap = resolve;
        child.send("heap");
      }),
    isAlive: () => child.exitCode === null && child.signalCode === null,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await closed;
      await program[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}
