/** The parameters of an operation: of its path, its query and its headers. */

import { z } from "zod";
import { REQUEST_HEADERS } from "./openapi-headers.ts";
import type { Route } from "./router.ts";

type Schema = Readonly<Record<string, unknown>>;

const uuid = { type: "string", format: "uuid" } as const;

/** A name means the same in each path. */
const PATH_PARAMETERS: Readonly<Record<string, Schema>> = {
  assistant_id: {
    schema: { type: "string", minLength: 1 },
    description: "The id of an assistant, or the name of a graph for its default one.",
  },
  checkpoint_id: { schema: { type: "string", minLength: 1, maxLength: 256 } },
  cron_id: { schema: uuid },
  name: { schema: { type: "string", minLength: 1 } },
  namespace: {
    schema: { type: "string", minLength: 1 },
    description: "The names of nodes, from the outermost on, joined by |",
  },
  run_id: { schema: uuid },
  thread_id: {
    schema: { type: "string", minLength: 1, maxLength: 256, pattern: "^[ -~]+$" },
    description: "1 to 256 printable ASCII characters.",
  },
};

export function pathNames(path: string): readonly string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
}

export function parametersOf({ path, docs }: Route): readonly Schema[] {
  const ofPath = pathNames(path).map((name) => ({
    name,
    in: "path",
    required: true,
    ...(PATH_PARAMETERS[name] ?? { schema: { type: "string" } }),
  }));
  const ofHeaders = (docs.headers ?? []).map((name) => ({ name, in: "header", ...REQUEST_HEADERS[name] }));
  return [...ofPath, ...(docs.query === undefined ? [] : queryParameters(docs.query)), ...ofHeaders];
}

function queryParameters(query: z.ZodObject): readonly Schema[] {
  return Object.entries(query.shape).map(([name, field]) => {
    const {
      $schema: _,
      description,
      ...schema
    } = z.toJSONSchema(field, { io: "input", unrepresentable: "any" });
    const isOptional = z.safeParse(field, undefined).success;
    return {
      name,
      in: "query",
      ...(isOptional ? {} : { required: true }),
      ...(description === undefined ? {} : { description }),
      schema,
    };
  });
}
