/** Packages of the official server and clients, which are not among our own dependencies. */

import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { makeOnce } from "../../src/local/place.ts";

const execute = promisify(execFile);

/** The newest that fit together. */
export const OFFICIAL_VERSIONS = {
  "@langchain/langgraph-api": "1.5.1",
  "@langchain/core": "1.2.13",
  "@langchain/langgraph": "1.4.18",
  "@langchain/langgraph-checkpoint": "1.1.5",
  "@langchain/langgraph-sdk": "1.12.4",
  typescript: "5.9.3",
};

/** In the system's folder for temporary files, so that the next run finds them again. @returns the folder */
export async function installPackages(
  name: string,
  versions: Readonly<Record<string, string>>,
): Promise<string> {
  const key = Object.values(versions)[0] ?? "";
  const folder = join(tmpdir(), `langgraph-functions-${name}-${key}`);
  await makeOnce(folder, async (unfinished) => {
    const sdk = versions["@langchain/langgraph-sdk"];
    const manifest = {
      private: true,
      type: "module",
      dependencies: versions,
      overrides: sdk === undefined ? {} : { "@langchain/langgraph-sdk": sdk },
    };
    await mkdir(unfinished);
    await writeFile(join(unfinished, "package.json"), JSON.stringify(manifest));
    const options = ["--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts"];
    await execute("npm", ["install", ...options], { cwd: unfinished });
  });
  return folder;
}

/** One that is free, and not the official server's usual one. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("No free port");
  return address.port === 2024 ? freePort() : address.port;
}
