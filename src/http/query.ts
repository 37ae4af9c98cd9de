/** Reads a request's query within a schema. */

import { z } from "zod";
import { AppError } from "../errors.ts";
import { parse } from "./body.ts";

export const QueryBoolean = z.enum(["true", "false"]).transform((text) => text === "true");

/** A field that comes several times is a list. The function key, which is the host's, is passed over. @throws AppError `invalid_request` */
export async function readQuery<Schema extends z.ZodType>(
  request: Request,
  schema: Schema,
): Promise<z.output<Schema>> {
  const searchParams = searchOf(request);
  const fields = [...new Set(searchParams.keys())].flatMap((name) => {
    const values = searchParams.getAll(name);
    return name === "code" ? [] : [[name, values.length === 1 ? values[0] : values] as const];
  });
  return parse(schema, Object.fromEntries(fields), ["query"]);
}

/**
 * The query's parameters: one that is repeated, or JSON text of a list, becomes a list. One that is empty is absent: the
 * Python client sends what is None like that; of those that may be empty, that is a value. `code` is a function key.
 */
export function queryOf(
  request: Request,
  mayBeEmpty: readonly string[] = [],
): Readonly<Record<string, unknown>> {
  const searchParams = searchOf(request);
  const given = [...searchParams].filter(
    ([name, value]) => name !== "code" && (value !== "" || mayBeEmpty.includes(name)),
  );
  const names = new Set(given.map(([name]) => name));
  return Object.fromEntries(
    [...names].map((name) => {
      const values = searchParams.getAll(name);
      const [first = ""] = values;
      if (values.length > 1) return [name, values];
      return [name, first.startsWith("[") ? parsedList(first) : first];
    }),
  );
}

/** @throws AppError `invalid_request` for text that Postgres cannot store */
function searchOf(request: Request): URLSearchParams {
  const { searchParams } = new URL(request.url);
  for (const [name, value] of searchParams)
    if (`${name}${value}`.includes("\u0000"))
      throw new AppError("invalid_request", `query.${name}: has a NUL character`);
  return searchParams;
}

function parsedList(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
