/** What the hosts read of the environment, beside the settings of the app. */

import { z } from "zod";
import { parseEnvironment, wholeNumber, type Variables } from "./environment.ts";
import { Environment, toSettings, type Settings } from "./settings.ts";

/** What `readKeys` reads. */
export const KeyEnvironment = z.object({
  FUNCTION_KEY: z.string().optional(),
  ADMIN_KEY: z.string().optional(),
});

const LocalEnvironment = Environment.extend({
  PORT: wholeNumber(0, 65_535).default(7071),
  HOST: z.string().default("127.0.0.1"),
  DATABASE_URL: Environment.shape.DATABASE_URL.optional(),
  ...KeyEnvironment.shape,
});

export interface LocalSettings {
  readonly port: number;
  readonly host: string;
  readonly databaseUrl: string | undefined;
  /** Keys to ask callers for; without any, every endpoint is open, as with the Functions Core Tools. */
  readonly keys: { readonly function: string | undefined; readonly admin: string | undefined };
  /** What the app needs to know, once it is decided which database it uses. */
  readonly app: (databaseUrl: string) => Settings;
}

/** The embedded Postgres has a password of its own, whatever the databases in the cloud want. */
export const EMBEDDED_AUTH = "password";

/** @throws Error as `readSettings` does */
export function readLocalSettings(overrides: Variables = {}): LocalSettings {
  const variables = parseEnvironment(LocalEnvironment, overrides);
  const { PORT, HOST, DATABASE_URL, DATABASE_AUTH, FUNCTION_KEY, ADMIN_KEY } = variables;
  const auth = DATABASE_URL === undefined ? EMBEDDED_AUTH : DATABASE_AUTH;
  return {
    port: PORT,
    host: HOST,
    databaseUrl: DATABASE_URL,
    keys: { function: FUNCTION_KEY, admin: ADMIN_KEY },
    app: (databaseUrl) => toSettings({ ...variables, DATABASE_AUTH: auth, DATABASE_URL: databaseUrl }),
  };
}

/** The keys to ask callers for, where no Functions host does. */
export function readKeys(): LocalSettings["keys"] {
  const { FUNCTION_KEY, ADMIN_KEY } = parseEnvironment(KeyEnvironment, {});
  return { function: FUNCTION_KEY, admin: ADMIN_KEY };
}

const STORAGE = "AzureWebJobsStorage";

/** What `readAzureSettings` reads. */
export const AzureEnvironment = z.object({
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

/** What `readLambdaSettings` reads. */
export const LambdaEnvironment = z.object({
  RUN_QUEUE_URL: z
    .url({ protocol: /^https?$/, error: "must be the URL of a queue of SQS" })
    .refine((url) => !url.endsWith(".fifo"), {
      error: "must be a standard queue: FIFO queues cannot delay a message",
    })
    .optional(),
  SIGN_OF_LIFE_SECONDS: wholeNumber(0, 900).default(60),
});

export interface LambdaSettings {
  /** The queue that wakes workers. */
  readonly queueUrl: string | undefined;
  /** How long a stream lasts before its client is to show that it is there; undefined for as long as it may. */
  readonly signOfLifeMs: number | undefined;
}

/** @throws Error as `readSettings` does */
export function readLambdaSettings(overrides: Variables = {}): LambdaSettings {
  const { RUN_QUEUE_URL, SIGN_OF_LIFE_SECONDS } = parseEnvironment(LambdaEnvironment, overrides);
  return {
    queueUrl: RUN_QUEUE_URL,
    signOfLifeMs: SIGN_OF_LIFE_SECONDS === 0 ? undefined : SIGN_OF_LIFE_SECONDS * 1000,
  };
}
