/** `reencrypt`: puts everything that is stored under the newest key, so that older ones can go. */

import { countUnencrypted, reencrypt as reencryptAll } from "../encryption.ts";
import { explainDatabase, nameOfDatabase } from "../local/serve.ts";
import { readSettings, type Settings } from "../settings.ts";
import { COMMON_HELP, COMMON_OPTIONS, parseCommandLine } from "./arguments.ts";
import { say } from "./terminal.ts";

const HELP = `Encrypts everything that is stored under the first of ENCRYPTION_KEYS, also what was not encrypted yet.
Safe beside running servers, once all of them have that key; may be stopped and started again.

  langgraph-functions reencrypt [options]

Options
  --database-url <url>    default: DATABASE_URL
  --dry-run               only says how many rows are left; the exit code is 0 all the same
${COMMON_HELP}
`;

const OPTIONS = {
  "database-url": { type: "string" },
  "dry-run": { type: "boolean", default: false },
  ...COMMON_OPTIONS,
} as const;

export async function reencrypt(args: readonly string[]): Promise<number> {
  const options = parseCommandLine("reencrypt", { args: [...args], options: OPTIONS }).values;
  if (options.help) {
    say(HELP.trimEnd());
    return 0;
  }
  const url = options["database-url"];
  const settings = readSettings(url === undefined ? {} : { DATABASE_URL: url });
  const [newest] = settings.database.encryptionKeys ?? [];
  if (newest === undefined)
    throw new Error(
      "ENCRYPTION_KEYS is not set: there is no key to encrypt with. The README says what it is.",
    );
  const database = nameOfDatabase(new URL(settings.database.url));
  const left = await work(settings, options["dry-run"]).catch((error: unknown) => {
    throw explainDatabase(error, database);
  });
  for (const [table, count] of left) say(`  ${table}: ${count} rows left`);
  if (left.length === 0)
    say(`Everything in the database ${database} is encrypted under the key "${newest.id}".`);
  else if (!options["dry-run"])
    throw new Error(
      "Servers have gone on with another key: give all of them the new one, and start this again",
    );
  return 0;
}

/** What is left, by table. */
async function work(settings: Settings, isDry: boolean): Promise<readonly (readonly [string, number])[]> {
  if (!isDry) await tellAll(settings);
  return [...(await countUnencrypted(settings))].filter(([, count]) => count > 0);
}

/** Rows between two lines that say how far it has come. */
const STEP = 10_000;

async function tellAll(settings: Settings): Promise<void> {
  let next = STEP;
  await reencryptAll(settings, ({ table, count, isDone }) => {
    if (!isDone && count < next) return;
    next = isDone ? STEP : count + STEP;
    if (count > 0 || !isDone) say(`  ${table}: ${count} rows ${isDone ? "encrypted" : "so far"}`);
  });
}
