/** The command line of one command. */

import { parseArgs, type ParseArgsConfig } from "node:util";

/** The exit code is 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Every command has these. */
export const COMMON_OPTIONS = {
  verbose: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

export const COMMON_HELP = `  --verbose               shows where errors come from
  -h, --help              shows this`;

type Parsed<Config extends ParseArgsConfig> = ReturnType<typeof parseArgs<Config>>;

/** @throws UsageError that says which argument is wrong */
export function parseCommandLine<Config extends ParseArgsConfig>(
  command: string,
  config: Config,
): Parsed<Config> {
  try {
    return parseArgs(config);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // Node goes on to explain how an argument that begins with a dash is given; nobody wants one.
    throw new UsageError(`${message.split(". To specify")[0]}\n${seeHelp(command)}`, { cause: error });
  }
}

export function seeHelp(command: string): string {
  return `"langgraph-functions ${command}${command === "" ? "" : " "}--help" lists the options.`;
}
