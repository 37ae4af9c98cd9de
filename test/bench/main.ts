/** The bench as a program: what to measure, what it prints, what it writes. */

import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startEmbeddedPostgres } from "langgraph-functions/local";
import type { Benchmark } from "./benchmark.ts";
import { coldStart } from "./cold-start.ts";
import { dev } from "./dev.ts";
import { durable, roundTrips, stream } from "./durable.ts";
import { history } from "./history.ts";
import { official } from "./official.ts";
import { table, type Row } from "./report.ts";

const BENCHMARKS: readonly Benchmark[] = [durable, roundTrips, official, stream, coldStart, history, dev];

const HELP = `Measures our targets, side by side with what there is without us.

  npm run bench [-- options]

Options
  --only <names>     only these, separated by commas:
${BENCHMARKS.map(({ name, description }) => `                       ${name.padEnd(12)} ${description}`).join("\n")}
  --rounds <number>  turns of each contender; default: 60
  --json <file>      writes the figures there as well
  --no-fsync         Postgres does not wait for the disk
  --help

Variables
  DATABASE_URL       a Postgres whose role may create databases, instead of an embedded one
`;

const OPTIONS = {
  only: { type: "string" },
  rounds: { type: "string", default: "60" },
  json: { type: "string" },
  "no-fsync": { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

async function main(): Promise<number> {
  const { only, rounds, json, help, ...flags } = parseArgs({ options: OPTIONS }).values;
  if (help) {
    console.log(HELP);
    return 0;
  }
  const chosen = choose(only);
  const turns = Number(rounds);
  if (!Number.isInteger(turns) || turns < 1) throw new Error("--rounds: must be a whole number from 1 on");
  await using postgres = await openPostgres({ fsync: !flags["no-fsync"] });
  const rows: Row[] = [];
  const notes: string[] = [];
  for (const benchmark of chosen) {
    const progress = (text: string): void => console.error(`… ${text}`);
    const note = (text: string): void => void notes.push(text);
    rows.push(...(await benchmark.run({ postgresUrl: postgres.url, rounds: turns, progress, note })));
  }
  const machine = `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? "CPU"}, medians of ${turns} rounds, ${postgres.description}`;
  console.log(`\n${table(rows)}\n\n${machine}\n${notes.join("\n")}`);
  if (json !== undefined) await writeFile(json, `${JSON.stringify({ machine, rows, notes }, null, 2)}\n`);
  return 0;
}

/** @throws Error that lists the names there are */
function choose(only: string | undefined): readonly Benchmark[] {
  if (only === undefined) return BENCHMARKS.filter(({ isOnRequest }) => isOnRequest !== true);
  return only.split(",").map((wanted) => {
    const found = BENCHMARKS.find(({ name }) => name === wanted.trim());
    if (found !== undefined) return found;
    throw new Error(`--only: there is no "${wanted}", but ${BENCHMARKS.map(({ name }) => name).join(", ")}`);
  });
}

interface Postgres extends AsyncDisposable {
  readonly url: string;
  readonly description: string;
}

async function openPostgres({ fsync }: { readonly fsync: boolean }): Promise<Postgres> {
  const { DATABASE_URL } = process.env;
  if (DATABASE_URL !== undefined && DATABASE_URL !== "") {
    return {
      url: DATABASE_URL,
      description: "Postgres of DATABASE_URL",
      [Symbol.asyncDispose]: async () => undefined,
    };
  }
  const folder = await mkdtemp(join(tmpdir(), "langgraph-functions-bench-"));
  await chmod(folder, 0o755); // for the user that root starts Postgres as
  const settings = fsync ? {} : { fsync: "off" };
  const postgres = await startEmbeddedPostgres({ folder, settings });
  return {
    url: postgres.url,
    description: `embedded Postgres, fsync ${fsync ? "on" : "off"}`,
    [Symbol.asyncDispose]: async () => {
      await postgres[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
