/** The official in-memory server: installed into a folder that is kept, as a process of its own. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, copyFile, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { program, start, type Child } from "./processes.ts";

const VERSIONS = {
  "@langchain/langgraph-api": "1.5.1",
  "@langchain/core": "1.2.13",
  "@langchain/langgraph": "1.4.18",
  "@langchain/langgraph-checkpoint": "1.1.5",
  "@langchain/langgraph-sdk": "1.12.4",
  typescript: "5.9.3",
};

export interface OfficialServer extends AsyncDisposable {
  readonly url: string;
}

/** @throws Error when it cannot be installed or started */
export async function startOfficialServer(progress: (text: string) => void): Promise<OfficialServer> {
  const installed = await install(progress);
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

/** In the system's folder for temporary files, so that the next bench finds it again. */
async function install(progress: (text: string) => void): Promise<string> {
  const version = VERSIONS["@langchain/langgraph-api"];
  const folder = join(tmpdir(), `langgraph-functions-bench-official-${version}`);
  if (
    await access(join(folder, "node_modules")).then(
      () => true,
      () => false,
    )
  )
    return folder;
  progress("official: installing the official server, once");
  const unfinished = await mkdtemp(`${folder}-`);
  const overrides = { "@langchain/langgraph-sdk": VERSIONS["@langchain/langgraph-sdk"] };
  const manifest = { private: true, dependencies: VERSIONS, overrides };
  await mkdir(unfinished, { recursive: true });
  await writeFile(join(unfinished, "package.json"), JSON.stringify(manifest));
  const npm = spawn("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts"], {
    cwd: unfinished,
    stdio: ["ignore", "ignore", "pipe"],
    timeout: 180_000,
  });
  let errors = "";
  npm.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const [code]: (number | null)[] = await once(npm, "close");
  if (code !== 0) {
    await rm(unfinished, { recursive: true, force: true });
    throw new Error(`npm install ended with ${code}: ${errors.trim().slice(-500)}`);
  }
  await rename(unfinished, folder);
  return folder;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("No free port");
  return address.port === 2024 ? freePort() : address.port;
}
