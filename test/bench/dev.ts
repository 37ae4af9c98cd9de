/** How long `langgraph-functions dev` takes with a project of ten graphs. Needs `npm run build`. */

import { fileURLToPath } from "node:url";
import type { Benchmark } from "./benchmark.ts";
import { createDatabase } from "./contenders.ts";
import { start } from "./processes.ts";
import type { Row } from "./report.ts";

const LIMIT_MS = 10_000;

const built = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url)); // this file is in dist/bench by then

export const dev: Benchmark = {
  name: "dev",
  description:
    "`dev` with ten graphs of different kinds: process spawn to /ok, and to an answer of each graph",
  run: async ({ postgresUrl, rounds, progress }) => {
    const database = await createDatabase(postgresUrl);
    const taken: { readonly up: number; readonly all: number }[] = [];
    progress("dev: spawning servers");
    for (let round = 0; round < Math.ceil(rounds / 10); round += 1) taken.push(await once(database));
    return [
      row(
        "dev, ten graphs, until /ok",
        taken.map(({ up }) => up),
      ),
      row(
        "dev, ten graphs, until each has answered",
        taken.map(({ all }) => all),
      ),
    ];
  },
};

async function once(databaseUrl: string): Promise<{ readonly up: number; readonly all: number }> {
  const began = performance.now();
  await using server = start(built("dist/src/cli/main.js"), {
    args: ["dev", "--no-reload"],
    cwd: built("test/cli/projects/ten"),
    env: { DATABASE_URL: databaseUrl, PORT: "0", LOG_LEVEL: "silent" },
  });
  const url = await server.line("Serving on ");
  await answer(`${url}/ok`);
  const up = performance.now() - began;
  const { graphs }: { graphs: readonly { name: string }[] } = JSON.parse(
    await answer(`${url}/health/details`),
  );
  await Promise.all(graphs.map(async ({ name }) => invoke(url, name)));
  return { up, all: performance.now() - began };
}

async function invoke(url: string, graph: string): Promise<void> {
  const input = { text: "a", messages: [{ role: "user", content: "a" }] };
  const headers = { "content-type": "application/json" };
  await answer(`${url}/graphs/${graph}/invoke`, { method: "POST", headers, body: JSON.stringify({ input }) });
}

async function answer(url: string, init?: RequestInit): Promise<string> {
  const response = await fetch(url, init);
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${text}`);
  return text;
}

function row(what: string, times: readonly number[]): Row {
  const ours = times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;
  return {
    what,
    unit: "ms",
    ours,
    against: { who: "the limit", value: LIMIT_MS },
    measured: { value: ours, text: `${ours.toFixed(0)} ms` },
    target: { text: `under ${LIMIT_MS} ms`, isMet: ours < LIMIT_MS },
  };
}
