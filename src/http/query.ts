/** Reads a request's query within a schema. */

import { z } from "zod";
import { parse } from "./body.ts";

export const QueryBoolean = z.enum(["true", "false"]).transform((text) => text === "true");

/** A field that comes several times is a list. The function key, which is the host's, is passed over. @throws AppError `invalid_request` */
export async function readQuery<Schema extends z.ZodType>(
  request: Request,
  schema: Schema,
): Promise<z.output<Schema>> {
  const { searchParams } = new URL(request.url);
  const fields = [...new Set(searchParams.keys())].flatMap((name) => {
    const values = searchParams.getAll(name);
    return name === "code" ? [] : [[name, values.length === 1 ? values[0] : values] as const];
  });
  return parse(schema, Object.fromEntries(fields), ["query"]);
}
