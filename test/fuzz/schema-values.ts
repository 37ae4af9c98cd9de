/** Values that a schema of our document describes. */

import * as fc from "fast-check";
import { isJsonObject } from "../../src/core/model.ts";
import { oddText, oddValue } from "../support/hostile.ts";
import type { Document, Schema } from "./document.ts";
import { knownField } from "./known-fields.ts";

type Values = fc.Arbitrary<unknown>;

const MAX_DEPTH = 6;
const ABSENT = Symbol("absent");

/** `name` is that of the field that the value is for: some have a meaning that no schema tells. */
export function valuesOf(document: Document, schema: Schema, name = "", depth = 0): Values {
  if (depth > MAX_DEPTH) return fc.constant(null);
  const within = (part: unknown, ofName = name): Values =>
    valuesOf(document, isJsonObject(part) ? { ...part } : {}, ofName, depth + 1);
  const { $ref, anyOf, oneOf, type } = schema;
  if (typeof $ref === "string") {
    const part = document.components.schemas[$ref.split("/").at(-1) ?? ""];
    return valuesOf(document, part ?? {}, name, depth + 1);
  }
  const known = knownField(name, schema);
  if (known !== undefined) return known;
  if ("const" in schema) return fc.constant(schema["const"]);
  if (Array.isArray(schema["enum"])) return fc.constantFrom(...(schema["enum"] as unknown[]));
  const choices = Array.isArray(anyOf) ? anyOf : oneOf;
  if (Array.isArray(choices)) return fc.oneof(...choices.map((choice) => within(choice)));
  if (Array.isArray(type)) return fc.oneof(...type.map((one) => within({ ...schema, type: one })));
  return ofType(schema, within);
}

function ofType(schema: Schema, within: (part: unknown, name?: string) => Values): Values {
  const { type, minimum, maximum, exclusiveMinimum } = schema;
  switch (type) {
    case "string":
      return texts(schema);
    case "integer":
      return fc.integer({ min: Number(minimum ?? -1), max: Math.min(Number(maximum ?? 100), 2_147_483_647) });
    case "number":
      return fc.double({
        min: Number(minimum ?? exclusiveMinimum ?? 0) + (exclusiveMinimum === undefined ? 0 : 1e-3),
        max: Math.min(Number(maximum ?? 1e6), 1e6),
        noNaN: true,
      });
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "array":
      return lists(schema, within);
    case "object":
      return objects(schema, within);
    default:
      return oddValue;
  }
}

function texts({ pattern, format, minLength, maxLength }: Schema): fc.Arbitrary<string> {
  if (format === "uuid") return fc.uuid();
  if (format === "date-time") return fc.constantFrom("2090-01-01T00:00:00Z", "2020-02-29T12:30:00+02:00");
  if (typeof pattern === "string") return fc.stringMatching(new RegExp(pattern));
  const [min, max] = [Number(minLength ?? 0), Number(maxLength ?? 30_000)];
  return oddText.filter(({ length }) => length >= min && length <= max);
}

function lists(schema: Schema, within: (part: unknown) => Values): Values {
  const { items, prefixItems, minItems = 0 } = schema;
  if (Array.isArray(prefixItems)) return fc.tuple(...prefixItems.map((item) => within(item)));
  return fc.array(within(items), { minLength: Number(minItems), maxLength: Number(minItems) + 3 });
}

function objects(schema: Schema, within: (part: unknown, name?: string) => Values): Values {
  const { properties, required = [], additionalProperties } = schema;
  const needed: readonly unknown[] = Array.isArray(required) ? required : [];
  const fields = Object.entries(isJsonObject(properties) ? properties : {}).map(([name, part]) => {
    const value = within(part, name);
    const rarely = fc.oneof({ weight: 5, arbitrary: fc.constant(ABSENT) }, { weight: 2, arbitrary: value });
    return [name, needed.includes(name) ? value : rarely] as const;
  });
  const named = fc
    .record(Object.fromEntries(fields))
    .map((made) => Object.fromEntries(Object.entries(made).filter(([, value]) => value !== ABSENT)));
  if (!isJsonObject(additionalProperties)) return named;
  return fc
    .tuple(fc.dictionary(oddText, within(additionalProperties, ""), { maxKeys: 2 }), named)
    .map(([others, made]) => ({ ...others, ...made }));
}
