/** The official in-memory server, of which we are to be a match: installed into a folder that is kept, as a process of its own. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { freePort, installPackages, OFFICIAL_VERSIONS } from "../support/official-packages.ts";

export interface OfficialServer extends AsyncDisposable {
  readonly url: string;
}

/** Serves the exports of `graphs.ts` under these names. @throws Error when it cannot be installed or started */
export async function startOfficialServer(graphs: readonly string[]): Promise<OfficialServer> {
  const installed = await installPackages("official", OFFICIAL_VERSIONS);
  const folder = await mkdtemp(join(installed, "run-")); // it keeps its state in files there
  const port = await freePort();
  await build({
    entryPoints: [fileURLToPath(new URL("graphs.ts", import.meta.url))],
    outfile: join(folder, "graphs.mjs"),
    bundle: true,
    packages: "external",
    format: "esm",
    platform: "node",
  });
  const options = {
    port,
    nWorkers: 10, // what `langgraphjs dev` has
    host: "127.0.0.1",
    cwd: folder,
    graphs: Object.fromEntries(graphs.map((name) => [name, `./graphs.mjs:${name}`])),
  };
  await writeFile(
    join(folder, "serve.mjs"),
    `import { startServer } from "@langchain/langgraph-api/server";
    await startServer(${JSON.stringify(options)});
    console.log("listening");`,
  );
  const server = spawn(process.execPath, [join(folder, "serve.mjs")], {
    cwd: folder,
    env: { PATH: process.env["PATH"] ?? "", LANGSMITH_TRACING: "false", LOG_LEVEL: "error" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const dispose = async (): Promise<void> => {
    if (server.exitCode === null && server.signalCode === null) {
      server.kill("SIGKILL"); // what it holds in memory is not worth an orderly end
      await once(server, "exit");
    }
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await listening(server);
  } catch (error) {
    await dispose();
    throw error;
  }
  return { url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: dispose };
}

async function listening(server: ChildProcess): Promise<void> {
  let output = "";
  const collect = (text: string): void => void (output += text);
  server.stdout?.setEncoding("utf8").on("data", collect);
  server.stderr?.setEncoding("utf8").on("data", collect);
  const ended = once(server, "exit").then(() => {
    throw new Error(`The official server ended:\n${output.slice(-2_000)}`);
  });
  while (!output.includes("listening")) {
    if (server.stdout === null) throw new Error("The official server has no output");
    await Promise.race([once(server.stdout, "data"), ended]);
  }
  ended.catch(() => undefined);
}
