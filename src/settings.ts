/** The environment, parsed once: one clear error lists all that is wrong with it. */

import { z } from "zod";
import type { DatabaseSettings } from "./postgres/pool.ts";

const Switch = z.enum(["true", "false"]).transform((value) => value === "true");

const Environment = z.object({
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/, error: "must be a postgres:// URL" }),
  DATABASE_POOL_SIZE: z.coerce.number().int().min(1).max(100).default(4),
  DATABASE_MIGRATE: Switch.default(true),
  LOG_LEVEL: z.enum(["debug", "info", "warn", "error", "silent"]).default("info"),
});

const LocalEnvironment = z.object({
  PORT: z.coerce.number().int().min(0).max(65_535).default(7071),
  HOST: z.string().default("127.0.0.1"),
  DATABASE_URL: Environment.shape.DATABASE_URL.optional(),
  FUNCTION_KEY: z.string().optional(),
  ADMIN_KEY: z.string().optional(),
});

export interface Settings {
  readonly database: DatabaseSettings;
  readonly logLevel: z.output<typeof Environment>["LOG_LEVEL"];
}

type Variables = Readonly<Record<string, string | undefined>>;

/** @throws Error that lists every variable that is missing or wrong; values are not shown, as some are secret. */
export function readSettings(overrides: Variables = {}): Settings {
  const { DATABASE_URL, DATABASE_POOL_SIZE, DATABASE_MIGRATE, LOG_LEVEL } = parseEnvironment(Environment, overrides);
  return {
    database: { url: DATABASE_URL, poolSize: DATABASE_POOL_SIZE, migrate: DATABASE_MIGRATE },
    logLevel: LOG_LEVEL,
  };
}

export interface LocalSettings {
  readonly port: number;
  readonly host: string;
  readonly databaseUrl: string | undefined;
  /** Keys to ask callers for; without any, every endpoint is open, as with the Functions Core Tools. */
  readonly keys: { readonly function: string | undefined; readonly admin: string | undefined };
}

/** @throws Error as `readSettings` does */
export function readLocalSettings(overrides: Variables = {}): LocalSettings {
  const { PORT, HOST, DATABASE_URL, FUNCTION_KEY, ADMIN_KEY } = parseEnvironment(LocalEnvironment, overrides);
  return { port: PORT, host: HOST, databaseUrl: DATABASE_URL, keys: { function: FUNCTION_KEY, admin: ADMIN_KEY } };
}

/** An empty variable counts as one that is not set. */
function parseEnvironment<Schema extends z.ZodObject>(schema: Schema, overrides: Variables): z.output<Schema> {
  const variables = { ...process.env, ...overrides };
  const given = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== ""));
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path: [name = ""], message }) =>
    given[String(name)] === undefined ? `${String(name)} is not set` : `${String(name)}: ${message}`,
  );
  throw new Error(`The settings are not complete:\n  ${problems.join("\n  ")}\nThe README has a table of all settings.`);
}
