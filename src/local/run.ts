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

/** Runs until Ctrl-C (or SIGTERM, or the end of the terminal); a second Ctrl-C does not wait. Sets the exit code. */
export async function runLocally(
  app: LangGraphApp,
  args: readonly string[] = process.argv.slice(2),
): Promise<void> {
  try {
    const { help, ...options } = parseArguments(args);
    if (help) return console.log(HELP);
    const stopped = stopSignal(); // also while it starts, so that what has been started is always stopped
    const server = await serveLocally(app, options);
    console.log(greeting(app, server));
    await stopped;
    console.log("Stopping …");
    await server[Symbol.asyncDispose]();
    console.log("Stopped. The data stays for the next start.");
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}

/** @throws Error that says which argument is wrong */
function parseArguments(args: readonly string[]): LocalOptions & { readonly help: boolean } {
  try {
    const { port, ...rest } = parseArgs({ args: [...args], options: OPTIONS }).values;
    return { ...rest, ...(port === undefined ? {} : { port: Number(port) }) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`${message}\n"npm start -- --help" lists the options.`, { cause: error });
  }
}

const OPTIONS = {
  fresh: { type: "boolean", default: false },
  port: { type: "string" },
  host: { type: "string" },
  help: { type: "boolean", short: "h", default: false },
} as const;

function greeting(app: LangGraphApp, server: LocalServer): string {
  const graphs = app.graphs.map(({ name, description }) =>
    `  ${name.padEnd(16)} ${description ?? ""}`.trimEnd(),
  );
  return [
    ...(server.warning === undefined ? [] : [`Warning: ${server.warning}`, ""]),
    `Serving on ${server.url}`,
    `  database         ${server.database}`,
    `  documentation    ${server.url}/docs`,
    "",
    "Graphs",
    ...(graphs.length === 0 ? ["  none: register() one"] : graphs),
    "",
    "Try it",
    `  ${exampleCall(app, server)}`,
    "",
    "Ctrl-C stops it.",
  ].join("\n");
}

/** A line for a shell; the key is left to a variable, as what is printed ends up in logs. */
function exampleCall({ graphs: [graph] }: LangGraphApp, { url, keyVariable }: LocalServer): string {
  if (graph === undefined) return `curl ${url}/health`;
  const body = JSON.stringify({ input: graph.example ?? {} }).replaceAll("'", String.raw`'\''`);
  const key = keyVariable === undefined ? "" : ` -H "x-functions-key: $${keyVariable}"`;
  return `curl ${url}/graphs/${graph.name}/invoke -H 'content-type: application/json'${key} -d '${body}'`;
}

async function stopSignal(): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const signal of STOP_SIGNALS) process.once(signal, () => resolve());
  });
}

const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
