/**
 * The OpenAPI 3.1 document, drawn from the routes: its schemas are JSON Schema 2020-12, as zod writes it. Import it
 * lazily: only `/openapi.json` needs it.
 */

import { z } from "zod";
import { ANSWER_HEADERS, type AnswerHeader } from "./openapi-headers.ts";
import { parametersOf, pathNames } from "./openapi-parameters.ts";
import type { AnswerDocs, Route } from "./router.ts";

/** Schemes that are needed together, by name, each with the scopes that it takes. @see https://spec.openapis.org/oas/v3.1.0#security-requirement-object */
export type SignInWay = Readonly<Record<string, readonly string[]>>;

export interface OpenApiInfo {
  readonly title: string;
  readonly version: string;
  readonly description: string;
  /** How callers sign in, by name; none where they only need function keys. */
  readonly signInSchemes: Readonly<Record<string, object>>;
  /** One of which will do. */
  readonly signInWays: readonly SignInWay[];
}

export type OpenApiDocument = Readonly<Record<string, unknown>>;

const ErrorAnswer = z.object({
  error: z.string().meta({ description: "A word for programs, stable across versions." }),
  detail: z.string().meta({ description: "For a person." }),
});

export function openApiDocument(
  { signInSchemes, signInWays, ...info }: OpenApiInfo,
  routes: readonly Route[],
): OpenApiDocument {
  const schemas = new Schemas();
  const error = schemas.add("Error", ErrorAnswer, "output");
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    paths[route.path] = {
      ...paths[route.path],
      [route.method.toLowerCase()]: {
        security: security(route, signInWays),
        ...operation(route, schemas, error),
      },
    };
  }
  return {
    openapi: "3.1.0",
    info: { ...info, license: { name: "MIT", identifier: "MIT" } },
    servers: [{ url: "." }],
    paths,
    components: {
      schemas: schemas.all,
      securitySchemes: {
        functionKey: { type: "apiKey", in: "header", name: "x-functions-key" },
        functionKeyInQuery: { type: "apiKey", in: "query", name: "code" },
        ...signInSchemes,
      },
    },
  };
}

type Schema = Readonly<Record<string, unknown>>;

/** Ways to be let in, one of which will do; none where all are let in. */
function security(
  { authLevel, permission, isOpen }: Route,
  ways: readonly SignInWay[],
): readonly SignInWay[] {
  const keys = authLevel === "anonymous" ? [{}] : [{ functionKey: [] }, { functionKeyInQuery: [] }];
  const needsSignIn = ways.length > 0 && permission !== "public" && isOpen !== true;
  if (needsSignIn) return keys.flatMap((key) => ways.map((way) => ({ ...key, ...way })));
  return authLevel === "anonymous" ? [] : keys;
}

function operation(route: Route, schemas: Schemas, error: Schema): Schema {
  const { docs } = route;
  const { operationId, summary, tag, body, form } = docs;
  const parameters = parametersOf(route);
  return {
    operationId,
    summary,
    tags: [tag],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: docs.isBodyOptional !== true,
            content: {
              "application/json": { schema: schemas.add(`${operationId}_body`, body, "input") },
              ...(form === undefined
                ? {}
                : {
                    "application/x-www-form-urlencoded": {
                      schema: schemas.add(`${operationId}_form`, form, "input"),
                    },
                  }),
            },
          },
        }),
    responses: Object.fromEntries(
      Object.entries({ ...impliedAnswers(route), ...docs.responses }).map(([status, answer]) => [
        status,
        answerOf({ status, operationId, error }, answer, schemas),
      ]),
    ),
  };
}

/** What any route of this kind may answer; its own words for it are better. */
function impliedAnswers({
  path,
  authLevel,
  permission,
  docs,
  isRateLimited,
}: Route): Route["docs"]["responses"] {
  const isGuarded = authLevel !== "anonymous" || permission !== "public"; // by the level of the graph, if not by its own
  const names = pathNames(path);
  const isChecked =
    docs.body !== undefined || docs.query !== undefined || names.length > 0 || docs.headers !== undefined;
  return {
    ...(docs.body !== undefined || names.includes("thread_id")
      ? { 400: "The body is not JSON or over a limit, or the thread id is not valid" }
      : {}),
    ...(isGuarded
      ? { 401: "A key or a credential is missing or not valid", 403: "The caller may not do this" }
      : {}),
    ...(docs.body === undefined ? {} : { 413: "A message is over its limit" }),
    415: "The body is compressed",
    ...(isChecked ? { 422: "A field is not what was expected" } : {}),
    ...(isRateLimited ? { 429: "Too many requests; see Retry-After" } : {}),
    500: "The server failed",
    503: "The database cannot be reached",
  };
}

/** The headers that errors of a status may have. */
const ERROR_HEADERS: Readonly<Record<string, readonly AnswerHeader[]>> = {
  401: ["WWW-Authenticate"],
  429: ["RateLimit", "RateLimit-Policy", "Retry-After"],
  503: ["Retry-After"],
};

interface AnswerOf {
  readonly status: string;
  readonly operationId: string;
  readonly error: Schema;
}

function answerOf(
  { status, operationId, error }: AnswerOf,
  docs: string | AnswerDocs,
  schemas: Schemas,
): Schema {
  if (typeof docs === "string") {
    const headers = ERROR_HEADERS[status];
    return {
      description: docs,
      content: { "application/json": { schema: error } },
      ...(headers === undefined ? {} : { headers: headersOf(headers) }),
    };
  }
  const { description, contentType = "application/json", schema, others, headers, isPageToo } = docs;
  const types = Object.entries({ ...(schema === undefined ? {} : { [contentType]: schema }), ...others });
  const content = types.map(([type, one], index): [string, Schema] => {
    const name = `${operationId}_${status}${index === 0 ? "" : `_${index + 1}`}`;
    return [type, { schema: schemas.add(name, one, "output") }];
  });
  if (isPageToo === true) {
    if (schema === undefined) content.push(["application/json", { schema: error }]);
    content.push(["text/html", { schema: { type: "string" } }]);
  }
  return {
    description,
    ...(content.length === 0 ? {} : { content: Object.fromEntries(content) }),
    ...(headers === undefined ? {} : { headers: headersOf(headers) }),
  };
}

function headersOf(names: readonly AnswerHeader[]): Schema {
  return Object.fromEntries(names.map((name) => [name, ANSWER_HEADERS[name]]));
}

/** The document's schemas by name; users' own ids play no part, as two graphs may use the same. */
class Schemas {
  readonly all: Record<string, unknown> = {};

  /** Returns a reference. What JSON Schema has no words for, such as a transformation, is described as anything. */
  add(name: string, schema: z.ZodType, io: "input" | "output"): Schema {
    const { $schema: _, $defs, ...root } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
    this.all[name] = relocated(root, name);
    for (const [key, definition] of Object.entries($defs ?? {}))
      this.all[partName(name, key)] = relocated(definition, name);
    return { $ref: reference(name) };
  }
}

/** Points references within one schema at where its parts are in the document. */
function relocated(schema: unknown, name: string): unknown {
  const relocate = (key: string, value: unknown): unknown =>
    key === "$ref" && typeof value === "string"
      ? value.replace(LOCAL_REFERENCE, (_, part?: string) => reference(name, part))
      : value;
  return JSON.parse(JSON.stringify(schema, relocate)) as unknown;
}

const LOCAL_REFERENCE = /^#(?:\/\$defs\/(.+))?$/;

function reference(name: string, part?: string): string {
  return `#/components/schemas/${part === undefined ? name : partName(name, part)}`;
}

/** Component names have letters, digits, dots, dashes and underscores only. */
function partName(name: string, part: string): string {
  return `${name}.${part.replaceAll(/[^\w.-]/g, "_")}`;
}
