/** How the app is, for those who operate it; for monitors without a key, in one word, if the app allows that. */

import { z } from "zod";
import type { AuthLevel } from "../core/model.ts";
import type { ReadStatus } from "../core/status.ts";
import { AppError } from "../errors.ts";
import { VERSION } from "../version.ts";
import { json } from "./respond.ts";
import type { Call, Route } from "./router.ts";

export interface StatusRouteDeps {
  readonly authLevel: AuthLevel;
  /** Whether callers sign in: then what is everybody's is for those who show a function key. */
  readonly hasUsers: boolean;
  /** Whether the word is there for everybody. */
  readonly publicStatus: boolean;
  readonly readStatus: ReadStatus;
}

const State = z.enum(["ok", "degraded", "down"]);
const Count = z.int().min(0);
const Part = z.object({
  latency_ms: Count.meta({ description: "How long it took to answer, when it was asked last" }),
  checked_at: z.iso.datetime(),
  detail: z.string().optional().meta({ description: "What is wrong, if anything is" }),
});
const Summary = z.object({ status: State });
const StatusAnswer = Summary.extend({
  version: z.string(),
  database: Part.extend({
    status: State,
    missing_migrations: Count.nullable().meta({ description: "Of the schema; null when it is down" }),
  }),
  queue: Part.extend({
    status: z.enum(["ok", "down", "off"]).meta({ description: "`off` where none is set up" }),
    messages: Count.nullable(),
    dead_letters: Count.nullable().meta({ description: "Null where it cannot be told" }),
  }),
  runs: z
    .object({
      waiting: Count.meta({ description: "Could execute now, and nobody has begun them; 10,000 at most" }),
      running: Count,
      oldest_waiting_age_s: Count.meta({ description: "0 when none waits" }),
    })
    .nullable()
    .meta({ description: "Null when the database is down" }),
  checks: z.record(z.string(), Part.extend({ status: z.enum(["ok", "down"]), is_required: z.boolean() })),
});
const ErrorAnswer = z.object({ error: z.string(), detail: z.string() });

/** The level of their keys is never below `function` where users sign in, who are not to see what others do. */
export function statusRoutes(deps: StatusRouteDeps): readonly Route[] {
  const { hasUsers, publicStatus, readStatus } = deps;
  const authLevel = hasUsers && deps.authLevel === "anonymous" ? "function" : deps.authLevel;
  const responses = (schema: z.ZodType) => ({
    200: { description: "What is needed is there", schema },
    503: { description: "Something that is needed is down", schema: z.union([schema, ErrorAnswer]) },
  });
  const common = { method: "GET", permission: "public", isRateLimited: false } as const;
  return [
    {
      ...common,
      path: "/status",
      authLevel,
      docs: {
        operationId: "app_status",
        summary: "How the app and what it needs are",
        tag: "system",
        responses: responses(StatusAnswer),
      },
      handle: async (call) => {
        requireOperator(deps, call);
        const { status, ...parts } = await readStatus();
        return json({ status, version: VERSION, ...parts }, code(status));
      },
    },
    {
      ...common,
      path: "/status/summary",
      authLevel: publicStatus ? "anonymous" : authLevel,
      docs: {
        operationId: "app_status_summary",
        summary: "The same, in a word",
        tag: "system",
        responses: responses(Summary),
      },
      handle: async (call) => {
        if (!publicStatus) requireOperator(deps, call);
        const { status } = await readStatus();
        return json({ status }, code(status));
      },
    },
  ];
}

function code(status: z.output<typeof State>): 200 | 503 {
  return status === "down" ? 503 : 200;
}

/**
 * Where users sign in, no level is taken for granted that nobody has checked a key for.
 * @throws AppError `unauthorized`
 */
function requireOperator({ hasUsers }: StatusRouteDeps, { invocation }: Call): void {
  if (!hasUsers || invocation.isKeyVerified !== false) return;
  throw new AppError(
    "unauthorized",
    "The status is for operators: set FUNCTION_KEY or ADMIN_KEY, and send it as the header x-functions-key",
  );
}
