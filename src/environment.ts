/** The process' environment: the only place that reads it. */

import { z } from "zod";
import { decoded, secretsIn } from "./secrets.ts";

export type Variables = Readonly<Record<string, string | undefined>>;

const SECRET_VARIABLE =
  /(key|secret|token|password)s?$|connection_?string|^DATABASE_URL$|^AzureWebJobsStorage$/i;
/** `api-key=…,authorization=Bearer%20…`: the SDK quotes those that it cannot send. */
const HEADERS_VARIABLE = /^OTEL_EXPORTER_OTLP_.*HEADERS$/;

/** What must not be seen in logs: the values of all variables that are named like a secret, and of headers. */
export function readSecrets(): readonly string[] {
  return Object.entries(process.env).flatMap(([name, value = ""]) => {
    if (SECRET_VARIABLE.test(name)) return secretsIn(value);
    return HEADERS_VARIABLE.test(name) ? value.split(",").flatMap(headerSecrets) : [];
  });
}

function headerSecrets(header: string): readonly string[] {
  const value = header.slice(header.indexOf("=") + 1).trim();
  return [...secretsIn(value), ...secretsIn(decoded(value))];
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

/** Whether Azure Functions gives the app an identity. @see https://learn.microsoft.com/azure/app-service/overview-managed-identity */
export function hasAppServiceIdentity(): boolean {
  const { IDENTITY_ENDPOINT = "" } = process.env;
  return IDENTITY_ENDPOINT !== "";
}

/** An empty variable counts as one that is not set. */
export function parseEnvironment<Schema extends z.ZodObject>(
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
  throw wrongSettings(problems);
}

/** One error for all of them. */
export function wrongSettings(problems: readonly string[]): Error {
  return new Error(
    `These settings are missing or wrong:\n  ${[...new Set(problems)].join("\n  ")}\nThe README has a table of all settings.`,
  );
}

export function wholeNumber(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.coerce.number({ error }).int({ error }).min(min, { error }).max(max, { error });
}

export function oneOf<const Words extends readonly string[]>(words: Words) {
  return z.enum(words, { error: `must be one of ${words.join(", ")}` });
}

/** Undefined for what is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function invalid(context: z.RefinementCtx<string>, message: string): never {
  context.addIssue(message);
  return z.NEVER;
}
