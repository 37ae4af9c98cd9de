/** `init`: a small project that works. */

import { mkdir, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { COMMON_HELP, COMMON_OPTIONS, parseCommandLine, seeHelp, UsageError } from "./arguments.ts";
import { isFile } from "./project.ts";
import { templateFiles } from "./template.ts";
import { say, styled } from "./terminal.ts";

const HELP = `Makes a new project: a graph, an app, and what deploys it. No file that is there is written over.

  langgraph-functions init [folder] [options]

Options
${COMMON_HELP}
`;

export async function init(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseCommandLine("init", {
    args: [...args],
    options: COMMON_OPTIONS,
    allowPositionals: true,
  });
  if (values.help) {
    say(HELP.trimEnd());
    return 0;
  }
  if (positionals.length > 1) throw new UsageError(`init takes one folder.\n${seeHelp("init")}`);
  const [shown = "."] = positionals;
  const folder = resolve(shown);
  const files = Object.entries(templateFiles(packageName(folder)));
  const present = await Promise.all(
    files.map(async ([name]) => ((await isFile(join(folder, name))) ? [name] : [])),
  );
  if (present.flat().length > 0)
    throw new Error(`${shown} has these files already: ${present.flat().join(", ")}. Name an empty folder.`);
  for (const [name, text] of files) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
    say(`${styled("green", "made")} ${join(shown, name)}`);
  }
  say(`\nNow:\n${shown === "." ? "" : `  cd ${shown}\n`}  npm install\n  npm run dev`);
  return 0;
}

/** What npm allows. @see https://docs.npmjs.com/cli/configuring-npm/package-json#name */
function packageName(folder: string): string {
  const name = basename(folder)
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, "-")
    .replaceAll(/^-+|-+$/g, "");
  return name === "" ? "agents" : name;
}
