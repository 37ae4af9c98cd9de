/** `keys`: the API keys of a server that asks for them with `apiKeys()`. */

import { openKeyRing, type ApiKey, type KeyRing } from "../api-keys.ts";
import { explainDatabase, nameOfDatabase } from "../local/serve.ts";
import { AppError } from "../errors.ts";
import { readSettings } from "../settings.ts";
import { COMMON_HELP, COMMON_OPTIONS, parseCommandLine, seeHelp, UsageError } from "./arguments.ts";
import { note, say, styled } from "./terminal.ts";

const HELP = `Makes, lists and revokes the keys that callers show as the header X-Api-Key.

  langgraph-functions keys create <identity> [options]
  langgraph-functions keys list
  langgraph-functions keys revoke <id>

What callers make belongs to the identity of their key. Several keys may have the same one, for the time in which one
takes the place of another. The database keeps only a hash: a key that is lost cannot be shown again. A key that was
revoked may still be good for half a minute.

Options
  --name <text>           of create: a name for people; default: the identity
  --permission <word>     of create: what an Auth object or a graph may ask for; may be repeated
  --expires-in <days>     of create: default: never
  --database-url <url>    default: DATABASE_URL
${COMMON_HELP}
`;

const OPTIONS = {
  name: { type: "string" },
  permission: { type: "string", multiple: true },
  "expires-in": { type: "string" },
  "database-url": { type: "string" },
  ...COMMON_OPTIONS,
} as const;

type Options = ReturnType<typeof parse>["values"];

function parse(args: readonly string[]) {
  return parseCommandLine("keys", { args: [...args], options: OPTIONS, allowPositionals: true });
}

export async function keys(args: readonly string[]): Promise<number> {
  const { values: options, positionals } = parse(args);
  if (options.help) {
    say(HELP.trimEnd());
    return 0;
  }
  const task = taskOf(positionals, options);
  const url = options["database-url"];
  const settings = readSettings(url === undefined ? {} : { DATABASE_URL: url });
  await using ring = openKeyRing(settings);
  try {
    await task(ring);
  } catch (error) {
    if (error instanceof AppError && error.code !== "unavailable") throw error;
    throw explainDatabase(error, nameOfDatabase(new URL(settings.database.url)));
  }
  return 0;
}

/** @throws UsageError */
function taskOf(
  [verb, subject, ...rest]: readonly string[],
  options: Options,
): (ring: KeyRing) => Promise<void> {
  if (rest.length > 0)
    throw new UsageError(`There is nothing to do with "${rest.join(" ")}".\n${seeHelp("keys")}`);
  if (verb === "list" && subject === undefined) return list;
  if (verb === "create" && subject !== undefined) {
    const expiresInDays = daysOf(options["expires-in"]);
    return async (ring) => create(ring, subject, { ...options, expiresInDays });
  }
  if (verb === "revoke" && subject !== undefined) {
    return async (ring) => {
      await ring.revoke(subject);
      note(`${styled("green", "revoked", process.stderr)} ${subject}`);
    };
  }
  throw new UsageError(`Give create with an identity, list, or revoke with a key's id.\n${seeHelp("keys")}`);
}

/** @throws UsageError */
function daysOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new UsageError(`--expires-in must be a number of days, 1 or more.\n${seeHelp("keys")}`);
}

/** The key alone goes to standard output, so that it can be piped to where it belongs. */
async function create(
  ring: KeyRing,
  identity: string,
  {
    name,
    permission,
    expiresInDays,
  }: Pick<Options, "name" | "permission"> & { expiresInDays: number | undefined },
): Promise<void> {
  const { key, record } = await ring.create({
    identity,
    displayName: name,
    permissions: permission,
    expiresInDays,
  });
  note(`Key ${record.key_id} of ${identity}, ${until(record)}. It is shown this once:`);
  say(key);
}

async function list(ring: KeyRing): Promise<void> {
  const found = await ring.list();
  if (found.length === 0) note("There are no keys yet.");
  for (const key of found) {
    const permissions = key.permissions.length === 0 ? "" : `  may: ${key.permissions.join(" ")}`;
    say(`${key.key_id}  ${key.identity}  ${until(key)}${permissions}`);
  }
}

function until({ revoked_at, expires_at }: ApiKey): string {
  if (revoked_at !== null) return `revoked ${day(revoked_at)}`;
  return expires_at === null ? "never expires" : `expires ${day(expires_at)}`;
}

function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}
