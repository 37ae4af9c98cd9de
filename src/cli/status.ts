/** `status`: how a server is, for a person, or for a deployment that waits until it is well. */

import { z } from "zod";
import { readKeys } from "../host-settings.ts";
import { COMMON_HELP, COMMON_OPTIONS, parseCommandLine, seeHelp, UsageError } from "./arguments.ts";
import { say, styled } from "./terminal.ts";

const HELP = `Asks a server how it is: its database, its queue, its own checks, and what waits.

  langgraph-functions status --url <url> [options]

The exit code is 1 when something is down that is needed, or when there is no answer.

Options
  --url <url>             with the route prefix: https://agents.example.com/api
  --key <key>             a function key; default: FUNCTION_KEY, else ADMIN_KEY
  --json                  shows the answer as it is
${COMMON_HELP}
`;

const OPTIONS = {
  url: { type: "string" },
  key: { type: "string" },
  json: { type: "boolean", default: false },
  ...COMMON_OPTIONS,
} as const;

/** The answer may take as long as the slowest check may, and a cold start before it. */
const PATIENCE_MS = 30_000;

const Part = z.object({ status: z.string(), latency_ms: z.number(), detail: z.string().optional() });
const Status = z.object({
  status: z.enum(["ok", "degraded", "down"]),
  version: z.string(),
  database: Part,
  queue: Part.extend({ messages: z.number().nullable(), dead_letters: z.number().nullable() }),
  runs: z.object({ waiting: z.number(), running: z.number(), oldest_waiting_age_s: z.number() }).nullable(),
  checks: z.record(z.string(), Part.extend({ is_required: z.boolean() })),
});
type Status = z.output<typeof Status>;

export async function status(args: readonly string[]): Promise<number> {
  const options = parseCommandLine("status", { args: [...args], options: OPTIONS }).values;
  if (options.help) {
    say(HELP.trimEnd());
    return 0;
  }
  const { url } = options;
  if (url === undefined || !/^https?:\/\//.test(url) || !URL.canParse(url))
    throw new UsageError(`--url must be where the server is, with the route prefix.\n${seeHelp("status")}`);
  const keys = readKeys();
  const body = await ask(url, options.key ?? keys.function ?? keys.admin);
  const told = Status.safeParse(body);
  if (!told.success) throw new Error(`${url} does not answer as a server of langgraph-functions does.`);
  if (options.json) say(JSON.stringify(body, null, 2));
  else for (const line of linesOf(told.data)) say(line);
  return told.data.status === "down" ? 1 : 0;
}

/** @throws Error that says what to do */
async function ask(url: string, key: string | undefined): Promise<unknown> {
  const headers = key === undefined ? undefined : { "x-functions-key": key };
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const response = await fetch(`${url.replace(/\/+$/, "")}/status`, {
    signal,
    ...(headers && { headers }),
  }).catch((cause: unknown) => {
    throw new Error(`${url} does not answer.`, { cause });
  });
  if (response.status === 401 || response.status === 403)
    throw new Error(`${url} wants a function key: give one with --key, or as FUNCTION_KEY.`);
  return response.json().catch(() => undefined);
}

function linesOf({ status, version, database, queue, runs, checks }: Status): readonly string[] {
  const counts = [
    ...(queue.messages === null ? [] : [counted(queue.messages, "message")]),
    ...(queue.dead_letters === null ? [] : [counted(queue.dead_letters, "dead letter")]),
  ];
  const parts: readonly (readonly [string, z.output<typeof Part>, ...string[]])[] = [
    ["database", database],
    ["queue", queue, ...counts],
    ...Object.entries(checks).map(
      ([name, check]) => [name, check, ...(check.is_required ? [] : ["optional"])] as const,
    ),
  ];
  const width = Math.max(...parts.map(([name]) => name.length));
  const waiting =
    runs === null
      ? []
      : [`${"runs".padEnd(width)}  ${runs.waiting} waiting, ${runs.running} running${age(runs)}`];
  return [
    `${coloured(status)}  langgraph-functions ${version}`,
    ...parts.map(([name, { status, latency_ms, detail }, ...words]) => {
      const said = detail === undefined ? words : [...words, detail];
      return [name.padEnd(width), coloured(status, 8), `${latency_ms} ms`.padStart(8), said.join(", ")]
        .join("  ")
        .trimEnd();
    }),
    ...waiting,
  ];
}

function age({ waiting, oldest_waiting_age_s }: NonNullable<Status["runs"]>): string {
  return waiting === 0 ? "" : `; the oldest for ${oldest_waiting_age_s} s`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function coloured(status: string, width = 0): string {
  const colour = status === "ok" ? "green" : status === "down" ? "red" : "yellow";
  return styled(colour, status.padEnd(width));
}
