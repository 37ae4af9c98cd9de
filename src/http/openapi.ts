/**
 * The OpenAPI 3.1 document, drawn from the routes: its schemas are JSON Schema 2020-12, as zod writes it. Import it
 * lazily: only `/openapi.json` needs it.
 */

import { z } from "zod";
import type { AnswerDocs, Route } from "./router.ts";

export interface OpenApiInfo {
  readonly title: string;
  readonly version: string;
  readonly description: string;
  /** How callers sign in, by name; none where they only need function keys. */
  readonly signInSchemes: Readonly<Record<string, object>>;
}

export type OpenApiDocument = Readonly<Record<string, unknown>>;

const ErrorAnswer = z.object({
  error: z.string().meta({ description: "A word for programs, stable across versions." }),
  detail: z.string().meta({ description: "For a person." }),
});

export function openApiDocument(
  { signInSchemes, ...info }: OpenApiInfo,
  routes: readonly Route[],
): OpenApiDocument {
  const schemas = new Schemas();
  const error = schemas.add("Error", ErrorAnswer, "output");
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    paths[route.path] = {
      ...paths[route.path],
      [route.method.toLowerCase()]: {
        security: security(route, Object.keys(signInSchemes)),
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
  schemes: readonly string[],
): readonly Readonly<Record<string, readonly never[]>>[] {
  const keys = authLevel === "anonymous" ? [{}] : [{ functionKey: [] }, { functionKeyInQuery: [] }];
  const needsSignIn = schemes.length > 0 && permission !== "public" && isOpen !== true;
  if (needsSignIn) return keys.flatMap((key) => schemes.map((scheme) => ({ ...key, [scheme]: [] })));
  return authLevel === "anonymous" ? [] : keys;
}

function operation({ path, docs }: Route, schemas: Schemas, error: Schema): Schema {
  const parameters = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  const pageToo = (status: string, { schema }: AnswerDocs): Schema => ({
    "application/json": {
      schema: schema === undefined ? error : schemas.add(`${operationId}_${status}`, schema, "output"),
    },
    "text/html": { schema: { type: "string" } },
  });
  const answer = (status: string, docs: string | AnswerDocs): Schema => {
    if (typeof docs === "string")
      return { description: docs, content: { "application/json": { schema: error } } };
    if (docs.isPageToo === true) return { description: docs.description, content: pageToo(status, docs) };
    if (docs.schema === undefined) return { description: docs.description };
    const schema = schemas.add(`${operationId}_${status}`, docs.schema, "output");
    return {
      description: docs.description,
      content: { [docs.contentType ?? "application/json"]: { schema } },
    };
  };
  const { operationId, summary, tag, body, form, responses } = docs;
  return {
    operationId,
    summary,
    tags: [tag],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
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
      Object.entries(responses).map(([status, docs]) => [status, answer(status, docs)]),
    ),
  };
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
