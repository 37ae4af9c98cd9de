/** The local server as a program: arguments, what it prints, Ctrl-C, exit codes. */

import { parseArgs } from "node:util";
import type { LangGraphApp } from "../app.ts";
import { serveLocally, type LocalOptions, type LocalServer } from "./serve.ts";

const HELP = `Serves the registered graphs on this machine.

  npm start [-- options]

Options
  --fresh            empties the embedded Postgres first
  --port <number>    default: PORT, else 7071; 0 takes any free one
  --host <address>   default: HOST, else 127.0.0.1
  --help

Variables
  DATABASE_URL       uses this Postgres instead of the embedded one
  FUNCTION_KEY       asks callers for this key; without it (and ADMIN_KEY) every endpoint is open
  ADMIN_KEY          opens what the function key opens, and graphs of the level "admin"
  LOG_LEVEL          debug, info, warn, error or silent; default: info
`;

/** Runs until Ctrl-C (or SIGTERM); a second Ctrl-C does not wait. Sets the exit code. */
export async function runLocally(app: LangGraphApp, args: readonly string[] = process.argv.slice(2)): Promise<void> {
  try {
    const { help, ...options } = parseArguments(args);
    if (help) return console.log(HELP);
    const server = await serveLocally(app, options);
    console.log(greeting(app, server));
    await stopSignal();
    console.log("Stopping …");
    process.once("SIGINT", () => process.exit(130));
    await server[Symbol.asyncDispose]();
    console.log("Stopped. The data stays for the next start.");
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}

function parseArguments(args: readonly string[]): LocalOptions & { readonly help: boolean } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      fresh: { type: "boolean", default: false },
      port: { type: "string" },
      host: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const { port, ...rest } = values;
  return { ...rest, ...(port === undefined ? {} : { port: Number(port) }) };
}

function greeting(app: LangGraphApp, { url, database }: LocalServer): string {
  const graphs = app.graphs.map(({ name, description }) => `  ${name.padEnd(16)} ${description ?? ""}`.trimEnd());
  const [first] = app.graphs;
  const call = `curl ${url}/graphs/${first?.name ?? "my_graph"}/invoke -H 'content-type: application/json' -d '${JSON.stringify({ input: first?.example ?? {} })}'`;
  return [
    `Serving on ${url}`,
    `  database         ${database}`,
    `  documentation    ${url}/docs`,
    "",
    "Graphs",
    ...(graphs.length === 0 ? ["  none: register() one"] : graphs),
    "",
    "Try it",
    `  ${call}`,
    "",
    "Ctrl-C stops it.",
  ].join("\n");
}

async function stopSignal(): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => resolve());
  });
}
