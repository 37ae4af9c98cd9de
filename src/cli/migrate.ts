/** `migrate`: brings a database's schema up to date, before a release that must not do it itself. */

import { explainDatabase, nameOfDatabase } from "../local/serve.ts";
import { readMigrations, runMigrations } from "../migrations.ts";
import { readSettings } from "../settings.ts";
import { COMMON_HELP, COMMON_OPTIONS, parseCommandLine } from "./arguments.ts";
import { say, styled } from "./terminal.ts";

const HELP = `Brings the schema of the database up to date. Safe beside running servers, and from several places at once.

  langgraph-functions migrate [options]

Options
  --database-url <url>    default: DATABASE_URL
  --dry-run               only says what is missing; the exit code is 0 all the same
${COMMON_HELP}
`;

const OPTIONS = {
  "database-url": { type: "string" },
  "dry-run": { type: "boolean", default: false },
  ...COMMON_OPTIONS,
} as const;

export async function migrate(args: readonly string[]): Promise<number> {
  const options = parseCommandLine("migrate", { args: [...args], options: OPTIONS }).values;
  if (options.help) {
    say(HELP.trimEnd());
    return 0;
  }
  const url = options["database-url"];
  const settings = readSettings(url === undefined ? {} : { DATABASE_URL: url });
  const database = nameOfDatabase(new URL(settings.database.url));
  try {
    const { applied, missing, newer } = await readMigrations(settings);
    say(`Database ${database}: ${applied.length} migrations applied, ${missing.length} missing`);
    if (newer > 0) say(`A newer release has applied ${newer} more; this one works with them.`);
    if (options["dry-run"]) for (const name of missing) say(`  missing  ${name}`);
    else if (missing.length > 0)
      await runMigrations(settings, (name) => say(`  ${styled("green", "applied")}  ${name}`));
    if (missing.length === 0 || !options["dry-run"]) say("The schema is up to date.");
    return 0;
  } catch (error) {
    throw explainDatabase(error, database);
  }
}
