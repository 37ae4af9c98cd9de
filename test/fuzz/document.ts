/** Our OpenAPI document, as far as the fuzzer reads it. */

import { z } from "zod";

const Schema = z.record(z.string(), z.unknown());
export type Schema = z.output<typeof Schema>;

const Content = z.record(z.string(), z.object({ schema: Schema }));
const Operation = z.object({
  operationId: z.string(),
  parameters: z
    .array(
      z.object({
        name: z.string(),
        in: z.enum(["path", "query", "header"]),
        required: z.boolean().default(false),
        schema: Schema,
      }),
    )
    .default([]),
  requestBody: z.object({ content: Content }).optional(),
  responses: z.record(
    z.string(),
    z.object({
      content: Content.default({}),
      headers: z.record(z.string(), z.object({ schema: Schema })).default({}),
    }),
  ),
});

const Document = z.object({
  paths: z.record(z.string(), z.record(z.string(), Operation)),
  components: z.object({ schemas: z.record(z.string(), Schema) }),
});
export type Document = z.output<typeof Document>;

export interface Operation extends z.output<typeof Operation> {
  readonly method: string;
  readonly path: string;
}

export async function readDocument(url: string): Promise<Document> {
  const response = await fetch(`${url}/openapi.json`);
  return Document.parse(await response.json());
}

export function operationsOf({ paths }: Document): readonly Operation[] {
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      ...operation,
      method: method.toUpperCase(),
      path,
    })),
  );
}
