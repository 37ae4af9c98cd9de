/** Which command runs, and what becomes of its failure. */

import { VERSION } from "../version.ts";
import { UsageError } from "./arguments.ts";
import { complain, say } from "./terminal.ts";

const HELP = `Runs LangGraph.js graphs as serverless functions, and on this machine while you write them.

  langgraph-functions <command> [options]

Commands
  dev          serves the project on this machine, and again when its files change
  build        bundles the project for Azure Functions or AWS Lambda
  migrate      brings the database's schema up to date
  reencrypt    encrypts what is stored under the newest key
  init         makes a new project
  keys         makes, lists and revokes API keys
  status       asks a server how it is

Options
  --version    shows the version
  -h, --help   shows this; "langgraph-functions <command> --help" shows a command's options

Exit codes: 0 when all is well, 1 when something failed, 2 when the command line is wrong.
`;

type Command = (args: readonly string[]) => Promise<number>;

/** Loaded when they run: each brings what the others do not need. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  dev: async () => (await import("./dev.ts")).dev,
  build: async () => (await import("./build.ts")).build,
  migrate: async () => (await import("./migrate.ts")).migrate,
  reencrypt: async () => (await import("./reencrypt.ts")).reencrypt,
  init: async () => (await import("./init.ts")).init,
  keys: async () => (await import("./keys.ts")).keys,
  status: async () => (await import("./status.ts")).status,
};

/** The exit code. */
export async function runCli([name = "--help", ...args]: readonly string[]): Promise<number> {
  try {
    if (name === "--help" || name === "-h" || name === "help") return tell(HELP);
    if (name === "--version") return tell(VERSION);
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (command === undefined) {
      throw new UsageError(
        `There is no command "${name}". "langgraph-functions --help" lists those that there are.`,
      );
    }
    return await (
      await command()
    )(args);
  } catch (error) {
    complain(error, { verbose: args.includes("--verbose") });
    return error instanceof UsageError ? 2 : 1;
  }
}

function tell(text: string): number {
  say(text.trimEnd());
  return 0;
}
