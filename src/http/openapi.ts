/** The OpenAPI 3.1 document, drawn from the routes. Import it lazily: only `/openapi.json` needs it. */

import { z } from "zod";
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from "zod-openapi";
import type { Route } from "./router.ts";

export type OpenApiDocument = ReturnType<typeof createDocument>;

export interface OpenApiInfo {
  readonly title: string;
  readonly version: string;
  readonly description: string;
}

const ErrorAnswer = z
  .object({
    error: z.string().meta({ description: "A word for programs, stable across versions." }),
    detail: z.string().meta({ description: "For a person." }),
  })
  .meta({ id: "Error" });

export function openApiDocument(info: OpenApiInfo, routes: readonly Route[]): OpenApiDocument {
  const paths: ZodOpenApiPathsObject = {};
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(route) };
  }
  return createDocument({
    openapi: "3.1.0",
    info: { ...info, license: { name: "MIT", identifier: "MIT" } },
    servers: [{ url: "." }],
    paths,
    components: {
      securitySchemes: {
        functionKey: { type: "apiKey", in: "header", name: "x-functions-key" },
        functionKeyInQuery: { type: "apiKey", in: "query", name: "code" },
      },
    },
  });
}

function operation({ path, authLevel, docs }: Route): ZodOpenApiOperationObject {
  const parameters = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => [name, z.string()] as const);
  return {
    operationId: docs.operationId,
    summary: docs.summary,
    tags: [docs.tag],
    security: authLevel === "anonymous" ? [] : [{ functionKey: [] }, { functionKeyInQuery: [] }],
    ...(parameters.length === 0 ? {} : { requestParams: { path: z.object(Object.fromEntries(parameters)) } }),
    ...(docs.body === undefined ? {} : { requestBody: { required: true, content: { "application/json": { schema: docs.body } } } }),
    responses: Object.fromEntries(Object.entries(docs.responses).map(([status, answer]) => [status, response(answer)])),
  };
}

function response(answer: Route["docs"]["responses"][number]) {
  if (typeof answer === "string") return { description: answer, content: { "application/json": { schema: ErrorAnswer } } };
  const { description, contentType = "application/json", schema } = answer;
  return { description, content: { [contentType]: { schema } } };
}
