/** The environment, parsed once: one clear error lists all that is wrong with it. */

import { z } from "zod";
import { toGraphConfig } from "./core/config.ts";
import type { GraphDefaults } from "./core/graphs.ts";
import type { DatabaseSettings } from "./postgres/pool.ts";
import { secretsIn } from "./secrets.ts";

const Switch = oneOf(["true", "false"]).transform((value) => value === "true");

const Fields = z.record(z.string(), z.unknown());

/** As the official server reads it: by graph, the config of its default assistant, with the context among its fields. */
const AssistantDefaults = z.record(
  z.string(),
  z
    .strictObject({
      configurable: Fields.optional(),
      metadata: Fields.optional(),
      tags: z.array(z.string()).optional(),
      recursion_limit: z.int().min(1).optional(),
      context: Fields.optional(),
    })
    .transform(({ context, ...config }) => ({
      ...toGraphConfig(config),
      ...(context === undefined ? {} : { context }),
    })),
);

/** As long as what HMAC-SHA-256 makes of it. @see RFC 2104, 3 */
const MIN_LINK_SECRET_BYTES = 32;

const Environment = z.object({
  DATABASE_URL: z.url({
    protocol: /^postgres(ql)?$/,
    error: "must be a postgres:// URL, with what is special in its password percent-encoded",
  }),
  DATABASE_POOL_SIZE: wholeNumber(1, 100).default(4),
  DATABASE_MIGRATE: Switch.default(true),
  DATABASE_TIMEOUT_SECONDS: wholeNumber(1, 600).default(15),
  LOG_LEVEL: oneOf(["debug", "info", "warn", "error", "silent"]).default("info"),
  LANGGRAPH_CONFIG: z
    .string()
    .transform((text, context) => parseJson(text) ?? invalid(context, "must be JSON"))
    .pipe(AssistantDefaults)
    .optional(),
  RUN_LEASE_SECONDS: wholeNumber(3, 600).default(30),
  EVENT_RETENTION_HOURS: wholeNumber(1, 87_600).default(24),
  WEBHOOK_SECRETS: z
    .string()
    .transform((text) => text.split(/[\s,]+/).filter((secret) => secret !== ""))
    .refine((secrets) => secrets.every(isWebhookSecret), {
      error: "must be secrets of 24 to 64 bytes, each whsec_ and base64, with commas between them",
    })
    .default([]),
  RESUME_LINK_SECRETS: z
    .string()
    .transform((text) => text.split(/[\s,]+/).filter((secret) => secret !== ""))
    .refine((secrets) => secrets.every((secret) => Buffer.byteLength(secret) >= MIN_LINK_SECRET_BYTES), {
      error: `must be secrets of ${MIN_LINK_SECRET_BYTES} bytes or more, with commas between them`,
    })
    .default([]),
  PUBLIC_URL: z
    .url({ protocol: /^https?$/, error: "must be a URL like https://agents.example.com/api" })
    .refine((url) => !/[?#]/.test(url), { error: "must have neither a query nor a fragment" })
    .transform((url) => url.replace(/\/+$/, ""))
    .optional(),
});

/** @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
function isWebhookSecret(text: string): boolean {
  const [, base64] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? [];
  const { length } = Buffer.from(base64 ?? "", "base64");
  return length >= 24 && length <= 64;
}

const KeyEnvironment = z.object({ FUNCTION_KEY: z.string().optional(), ADMIN_KEY: z.string().optional() });

const LocalEnvironment = Environment.extend({
  PORT: wholeNumber(0, 65_535).default(7071),
  HOST: z.string().default("127.0.0.1"),
  DATABASE_URL: Environment.shape.DATABASE_URL.optional(),
  ...KeyEnvironment.shape,
});

export interface Settings {
  readonly database: DatabaseSettings;
  readonly logLevel: z.output<typeof Environment>["LOG_LEVEL"];
  /** For the default assistants of these graphs, over what the graphs are registered with. */
  readonly graphDefaults?: ReadonlyMap<string, GraphDefaults>;
  /** How long a run's executor may give no sign of life before another one takes over. Default: 30 s. */
  readonly leaseMs?: number;
  /** How long the events of a run are kept after its end. Default: a day. */
  readonly eventRetentionMs?: number;
  /** That sign webhooks; several while receivers go from one to the next. */
  readonly webhookSecrets?: readonly string[];
  /** The first signs resume links; those that the others have signed are good as well. Without any, there are no links. */
  readonly resumeLinkSecrets?: readonly string[];
  /** Where people reach what is served below the route prefix, without a slash at the end; if absent, as requests say. */
  readonly publicUrl?: string;
}

export type Variables = Readonly<Record<string, string | undefined>>;

/** @throws Error that lists every variable that is missing or wrong; values are not shown, as some are secret. */
export function readSettings(overrides: Variables = {}): Settings {
  return toSettings(parseEnvironment(Environment, overrides));
}

function toSettings(parsed: z.output<typeof Environment>): Settings {
  const { DATABASE_URL, DATABASE_POOL_SIZE, DATABASE_MIGRATE, DATABASE_TIMEOUT_SECONDS, LOG_LEVEL } = parsed;
  const { RESUME_LINK_SECRETS, PUBLIC_URL } = parsed;
  const { LANGGRAPH_CONFIG, RUN_LEASE_SECONDS, EVENT_RETENTION_HOURS, WEBHOOK_SECRETS } = parsed;
  return {
    database: {
      url: DATABASE_URL,
      poolSize: DATABASE_POOL_SIZE,
      migrate: DATABASE_MIGRATE,
      timeoutMs: DATABASE_TIMEOUT_SECONDS * 1000,
    },
    logLevel: LOG_LEVEL,
    ...(LANGGRAPH_CONFIG === undefined ? {} : { graphDefaults: new Map(Object.entries(LANGGRAPH_CONFIG)) }),
    leaseMs: RUN_LEASE_SECONDS * 1000,
    eventRetentionMs: EVENT_RETENTION_HOURS * 3_600_000,
    webhookSecrets: WEBHOOK_SECRETS,
    resumeLinkSecrets: RESUME_LINK_SECRETS,
    ...(PUBLIC_URL === undefined ? {} : { publicUrl: PUBLIC_URL }),
  };
}

const SECRET_VARIABLE =
  /(key|secret|token|password)s?$|connection_?string|^DATABASE_URL$|^AzureWebJobsStorage$/i;

/** What must not be seen in logs: the values of all variables that are named like a secret. */
export function readSecrets(): readonly string[] {
  const secret = Object.entries(process.env).filter(([name]) => SECRET_VARIABLE.test(name));
  return secret.flatMap(([, value = ""]) => secretsIn(value));
}

export interface LocalSettings {
  readonly port: number;
  readonly host: string;
  readonly databaseUrl: string | undefined;
  /** Keys to ask callers for; without any, every endpoint is open, as with the Functions Core Tools. */
  readonly keys: { readonly function: string | undefined; readonly admin: string | undefined };
  /** What the app needs to know, once it is decided which database it uses. */
  readonly app: (databaseUrl: string) => Settings;
}

/** @throws Error as `readSettings` does */
export function readLocalSettings(overrides: Variables = {}): LocalSettings {
  const variables = parseEnvironment(LocalEnvironment, overrides);
  const { PORT, HOST, DATABASE_URL, FUNCTION_KEY, ADMIN_KEY } = variables;
  return {
    port: PORT,
    host: HOST,
    databaseUrl: DATABASE_URL,
    keys: { function: FUNCTION_KEY, admin: ADMIN_KEY },
    app: (databaseUrl) => toSettings({ ...variables, DATABASE_URL: databaseUrl }),
  };
}

/** All variables, for a process that is started with them. */
export function allVariables(): Variables {
  return { ...process.env };
}

/** Whether a terminal wants colours. @see https://no-color.org */
export function wantsColours(): boolean {
  const { NO_COLOR = "", TERM } = process.env;
  return NO_COLOR === "" && TERM !== "dumb";
}

/** The keys to ask callers for, where no Functions host does. */
export function readKeys(): LocalSettings["keys"] {
  const { FUNCTION_KEY, ADMIN_KEY } = parseEnvironment(KeyEnvironment, {});
  return { function: FUNCTION_KEY, admin: ADMIN_KEY };
}

const STORAGE = "AzureWebJobsStorage";

const AzureEnvironment = z.object({
  RUN_QUEUE: z
    .string()
    .regex(/^(?=.{3,56}$)[a-z0-9]+(-[a-z0-9]+)*$/, {
      error: "must be 3 to 56 lower-case letters, digits and single hyphens",
    })
    .default("langgraph-runs"),
  TICK_SCHEDULE: z
    .string()
    .regex(/^\S+( \S+){5}$/, { error: "must have six fields, seconds first: 0 * * * * *" })
    .default("0 * * * * *"),
  FUNCTION_TIMEOUT_SECONDS: wholeNumber(1, 604_800).default(600),
  [STORAGE]: z.string().optional(),
  [`${STORAGE}__queueServiceUri`]: z.url({ error: "must be a URL" }).optional(),
  [`${STORAGE}__accountName`]: z.string().optional(),
  [`${STORAGE}__clientId`]: z.string().optional(),
});

export interface AzureSettings {
  readonly queueName: string;
  /** NCRONTAB, with seconds. */
  readonly tickSchedule: string;
  /** As `functionTimeout` in host.json, which the host does not tell its workers. */
  readonly functionTimeoutMs: number;
  readonly storage: StorageSettings;
}

/** The storage account of the queue trigger, as the Functions host finds it. */
export interface StorageSettings {
  readonly connectionString: string | undefined;
  /** For a managed identity, where there is no connection string. */
  readonly queueServiceUri: string | undefined;
  /** Of a user-assigned identity. */
  readonly clientId: string | undefined;
}

/** @throws Error as `readSettings` does */
export function readAzureSettings(overrides: Variables = {}): AzureSettings {
  const variables = parseEnvironment(AzureEnvironment, overrides);
  const accountName = variables[`${STORAGE}__accountName`];
  return {
    queueName: variables.RUN_QUEUE,
    tickSchedule: variables.TICK_SCHEDULE,
    functionTimeoutMs: variables.FUNCTION_TIMEOUT_SECONDS * 1000,
    storage: {
      connectionString: variables[STORAGE],
      queueServiceUri:
        variables[`${STORAGE}__queueServiceUri`] ??
        (accountName === undefined ? undefined : `https://${accountName}.queue.core.windows.net`),
      clientId: variables[`${STORAGE}__clientId`],
    },
  };
}

const LambdaEnvironment = z.object({
  RUN_QUEUE_URL: z
    .url({ protocol: /^https?$/, error: "must be the URL of a queue of SQS" })
    .refine((url) => !url.endsWith(".fifo"), {
      error: "must be a standard queue: FIFO queues cannot delay a message",
    })
    .optional(),
});

/** The queue that wakes workers on Lambda. @throws Error as `readSettings` does */
export function readQueueUrl(overrides: Variables = {}): string | undefined {
  return parseEnvironment(LambdaEnvironment, overrides).RUN_QUEUE_URL;
}

/** An empty variable counts as one that is not set. */
function parseEnvironment<Schema extends z.ZodObject>(
  schema: Schema,
  overrides: Variables,
): z.output<Schema> {
  const variables = { ...process.env, ...overrides };
  const given = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== ""));
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path: [name = "", ...field], message }) =>
    given[String(name)] === undefined
      ? `${String(name)} is not set`
      : `${[name, ...field].join(".")}: ${message}`,
  );
  throw new Error(
    `These settings are missing or wrong:\n  ${[...new Set(problems)].join("\n  ")}\nThe README has a table of all settings.`,
  );
}

function wholeNumber(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.coerce.number({ error }).int({ error }).min(min, { error }).max(max, { error });
}

function oneOf<const Words extends readonly string[]>(words: Words) {
  return z.enum(words, { error: `must be one of ${words.join(", ")}` });
}

/** Undefined for what is no JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function invalid(context: z.RefinementCtx<string>, message: string): never {
  context.addIssue(message);
  return z.NEVER;
}
