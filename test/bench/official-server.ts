/** The official in-memory server: installed into a folder that is kept, as a process of its own. */

import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort, installPackages, OFFICIAL_VERSIONS } from "../support/official-packages.ts";
import { program, start, type Child } from "./processes.ts";

export interface OfficialServer extends AsyncDisposable {
  readonly url: string;
}

/** @throws Error when it cannot be installed or started */
export async function startOfficialServer(progress: (text: string) => void): Promise<OfficialServer> {
  progress("official: the official server, which is installed once");
  const installed = await installPackages("official", OFFICIAL_VERSIONS);
  const folder = await mkdtemp(join(installed, "run-")); // it keeps its state in files there
  const port = await freePort();
  await copyFile(program("programs/graphs"), join(folder, "graphs.mjs"));
  const options = {
    port,
    nWorkers: 10, // what `langgraphjs dev` has
    host: "127.0.0.1",
    cwd: folder,
    graphs: { two: "./graphs.mjs:twoCompiled", three: "./graphs.mjs:threeCompiled" },
  };
  await writeFile(
    join(folder, "serve.mjs"),
    `import { startServer } from "@langchain/langgraph-api/server";
    await startServer(${JSON.stringify(options)});
    console.log("listening");`,
  );
  const server: Child = start(join(folder, "serve.mjs"), {
    cwd: folder,
    env: { LANGSMITH_TRACING: "false", LOG_LEVEL: "error" },
  });
  const dispose = async (): Promise<void> => {
    await server[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await server.line("listening");
  } catch (error) {
    await dispose();
    throw error;
  }
  return { url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: dispose };
}
