/** The settings of an app, of the environment, parsed once: one clear error lists all that is wrong with it. */

import { z } from "zod";
import { toGraphConfig } from "./core/config.ts";
import type { GraphDefaults } from "./core/graphs.ts";
import { problemsOfUrl, tokenSource } from "./database-auth.ts";
import {
  invalid,
  oneOf,
  parseEnvironment,
  parseJson,
  wholeNumber,
  wrongSettings,
  type Variables,
} from "./environment.ts";
import { readEncryptionKeys } from "./postgres/encryption.ts";
import type { DatabaseSettings } from "./postgres/pool.ts";

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

/** What `readSettings` reads. */
export const Environment = z.object({
  DATABASE_URL: z.url({
    protocol: /^postgres(ql)?$/,
    error: "must be a postgres:// URL, with what is special in its password percent-encoded",
  }),
  DATABASE_AUTH: oneOf(["password", "entra", "rds-iam"]).default("password"),
  AZURE_CLIENT_ID: z.string().optional(),
  DATABASE_POOL_SIZE: wholeNumber(1, 100).default(4),
  DATABASE_MIGRATE: Switch.default(true),
  DATABASE_TIMEOUT_SECONDS: wholeNumber(1, 600).default(15),
  LOG_LEVEL: oneOf(["debug", "info", "warn", "error", "silent"]).default("info"),
  LANGGRAPH_CONFIG: z
    .string()
    .transform((text, context) => parseJson(text) ?? invalid(context, "must be JSON"))
    .pipe(AssistantDefaults)
    .optional(),
  ENCRYPTION_KEYS: z
    .string()
    .transform(
      (text, context) =>
        readEncryptionKeys(text) ??
        invalid(
          context,
          "must be keys of 32 bytes, each as an id of its own, a colon and base64, with commas between them",
        ),
    )
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

const exporter = oneOf(["otlp", "none"]).default("otlp");
/** Ours is OTLP over HTTP, always in JSON. `http/protobuf` is what others, who read the same variable, need for HTTP. */
const protocol = oneOf(["http/json", "http/protobuf"]).optional();

/** What telemetry-sdk.ts reads; OpenTelemetry's SDK reads more by itself. @see https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ */
export const TelemetryEnvironment = z.object({
  OTEL_EXPORTER_OTLP_ENDPOINT: z.string().optional(),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: z.string().optional(),
  OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: z.string().optional(),
  OTEL_SDK_DISABLED: z.string().optional(),
  OTEL_TRACES_EXPORTER: exporter,
  OTEL_METRICS_EXPORTER: exporter,
  OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: protocol,
  OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: protocol,
  OTEL_METRIC_EXPORT_INTERVAL: wholeNumber(100, 86_400_000).default(60_000),
});

const Collector = TelemetryEnvironment.pick({
  OTEL_EXPORTER_OTLP_ENDPOINT: true,
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: true,
  OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: true,
  OTEL_SDK_DISABLED: true,
});

/** Whether a collector of traces or metrics is named. */
export function wantsTelemetry(): boolean {
  const { OTEL_SDK_DISABLED, ...endpoints } = parseEnvironment(Collector, {});
  return OTEL_SDK_DISABLED?.toLowerCase() !== "true" && Object.values(endpoints).some(Boolean);
}

/** @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
function isWebhookSecret(text: string): boolean {
  const [, base64] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? [];
  const { length } = Buffer.from(base64 ?? "", "base64");
  return length >= 24 && length <= 64;
}

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

/** @throws Error that lists every variable that is missing or wrong; values are not shown, as some are secret. */
export function readSettings(overrides: Variables = {}): Settings {
  return toSettings(parseEnvironment(Environment, overrides));
}

/** @throws Error as `readSettings` does */
export function toSettings(parsed: z.output<typeof Environment>): Settings {
  const { RESUME_LINK_SECRETS, PUBLIC_URL } = parsed;
  const { LANGGRAPH_CONFIG, RUN_LEASE_SECONDS, EVENT_RETENTION_HOURS, WEBHOOK_SECRETS } = parsed;
  return {
    database: toDatabase(parsed),
    logLevel: parsed.LOG_LEVEL,
    ...(LANGGRAPH_CONFIG === undefined ? {} : { graphDefaults: new Map(Object.entries(LANGGRAPH_CONFIG)) }),
    leaseMs: RUN_LEASE_SECONDS * 1000,
    eventRetentionMs: EVENT_RETENTION_HOURS * 3_600_000,
    webhookSecrets: WEBHOOK_SECRETS,
    resumeLinkSecrets: RESUME_LINK_SECRETS,
    ...(PUBLIC_URL === undefined ? {} : { publicUrl: PUBLIC_URL }),
  };
}

function toDatabase(parsed: z.output<typeof Environment>): DatabaseSettings {
  const { DATABASE_URL, DATABASE_AUTH, AZURE_CLIENT_ID, ENCRYPTION_KEYS } = parsed;
  const problems = problemsOfUrl(DATABASE_AUTH, DATABASE_URL);
  if (problems.length > 0) throw wrongSettings(problems);
  const tokens = tokenSource(DATABASE_AUTH, DATABASE_URL, AZURE_CLIENT_ID);
  return {
    url: DATABASE_URL,
    ...(tokens === undefined ? {} : { tokens }),
    poolSize: parsed.DATABASE_POOL_SIZE,
    migrate: parsed.DATABASE_MIGRATE,
    timeoutMs: parsed.DATABASE_TIMEOUT_SECONDS * 1000,
    ...(ENCRYPTION_KEYS === undefined ? {} : { encryptionKeys: ENCRYPTION_KEYS }),
  };
}
