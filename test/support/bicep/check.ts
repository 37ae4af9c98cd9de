/** Holds what a Bicep file gives to each resource against the type of that resource. */

import type { BicepFile, Parameter, Value } from "./read.ts";

/** What a resource, or a part of one, takes. */
export type Shape =
  | {
      readonly kind: "object";
      readonly properties: Readonly<Record<string, Property>>;
      /** Of what has no name here; if absent, there is nothing else. */
      readonly others?: Shape | undefined;
    }
  | { readonly kind: "array"; readonly item: Shape }
  /** One of these, if there are any. */
  | { readonly kind: "string"; readonly values?: readonly string[] | undefined }
  | { readonly kind: "int" }
  | { readonly kind: "bool" }
  | { readonly kind: "any" };

interface Property {
  readonly shape: Shape;
  readonly isRequired?: boolean;
  readonly isReadOnly?: boolean;
}

/** Of Bicep itself: where a resource belongs. */
const OF_BICEP = new Set(["parent", "scope", "dependsOn"]);

/** What is wrong, each with file, line and path. */
export function faultsOf(file: BicepFile, shapes: ReadonlyMap<string, Shape>): readonly string[] {
  const ofResources = file.resources.flatMap(({ type, body }) => {
    const shape = shapes.get(type);
    const resource = body.kind === "each" ? body.item : body;
    if (shape === undefined) return [`${file.file}:${body.line} ${type}: there is no such type`];
    return check({ file, path: type, isResource: true }, resource, shape);
  });
  return [...ofResources, ...file.mentions.flatMap((mention) => checkMention(file, mention, shapes))];
}

/** What is asked of a resource, it must have. */
function checkMention(
  file: BicepFile,
  { symbol, path, line }: BicepFile["mentions"][number],
  shapes: ReadonlyMap<string, Shape>,
): readonly string[] {
  const resource = file.resources.find((one) => one.symbol === symbol);
  let shape = resource === undefined || resource.body.kind === "each" ? undefined : shapes.get(resource.type);
  for (const name of path) {
    if (shape?.kind !== "object") return [];
    const next: Shape | undefined = shape.properties[name]?.shape ?? shape.others;
    if (next === undefined)
      return [`${file.file}:${line} ${symbol}.${path.join(".")}: there is no "${name}"`];
    shape = next;
  }
  return [];
}

interface Place {
  readonly file: BicepFile;
  readonly path: string;
  readonly isResource?: boolean;
}

function check(place: Place, value: Value, shape: Shape): readonly string[] {
  if (shape.kind === "any") return [];
  if (value.kind === "either") return value.values.flatMap((one) => check(place, one, shape));
  if (value.kind === "name") return checkName(place, value.name, value.line, shape);
  if (value.kind === "call") return checkCall(place, value, shape);
  if (value.kind === "null" || value.kind === "other") return [];
  return KINDS[value.kind] === shape.kind
    ? checkInside(place, value, shape)
    : [mismatch(place, value, shape)];
}

/** What a literal is good for. */
const KINDS = {
  each: "array",
  array: "array",
  object: "object",
  string: "string",
  number: "int",
  boolean: "bool",
} as const;

function checkInside(place: Place, value: Value, shape: Shape): readonly string[] {
  if (shape.kind === "array" && value.kind === "each")
    return check(inside(place, "*"), value.item, shape.item);
  if (shape.kind === "array" && value.kind === "array")
    return value.items.flatMap((item, at) => check(inside(place, String(at)), item, shape.item));
  if (shape.kind === "object" && value.kind === "object") return checkObject(place, value, shape);
  return shape.kind === "string" && value.kind === "string" ? checkText(place, value, shape) : [];
}

type Of<Kind, Union> = Union extends { readonly kind: Kind } ? Union : never;

function checkObject(
  place: Place,
  { entries, line }: Of<"object", Value>,
  shape: Of<"object", Shape>,
): readonly string[] {
  const at = (entryLine: number, text: string) => `${place.file.file}:${entryLine} ${place.path}: ${text}`;
  const faults = entries.flatMap(({ name, value, line: entryLine }) => {
    if (place.isResource === true && OF_BICEP.has(name)) return [];
    const property = shape.properties[name];
    if (property === undefined && shape.others === undefined)
      return [at(entryLine, `has no property "${name}"`)];
    if (property?.isReadOnly === true) return [at(entryLine, `"${name}" is read only`)];
    const taken = property?.shape ?? shape.others;
    return taken === undefined ? [] : check(inside(place, name), value, taken);
  });
  const missing = Object.entries(shape.properties)
    .filter(([name, { isRequired }]) => isRequired === true && !entries.some((entry) => entry.name === name))
    .map(([name]) => at(line, `lacks "${name}"`));
  return [...faults, ...missing];
}

function checkText(
  place: Place,
  value: Of<"string", Value>,
  { values }: Of<"string", Shape>,
): readonly string[] {
  if (values === undefined || value.isInterpolated || values.includes(value.text)) return [];
  return [`${place.file.file}:${value.line} ${place.path}: "${value.text}" is none of ${values.join(", ")}`];
}

function checkName(place: Place, name: string, line: number, shape: Shape): readonly string[] {
  const variable = place.file.variables.get(name);
  if (variable !== undefined) return check(place, variable, shape);
  const parameter = place.file.parameters.get(name);
  return parameter === undefined ? [] : checkParameter(place, parameter, line, shape);
}

function checkParameter(place: Place, parameter: Parameter, line: number, shape: Shape): readonly string[] {
  if (parameter.type !== shape.kind)
    return [
      `${place.file.file}:${line} ${place.path}: takes ${shape.kind}, and "${parameter.name}" is ${parameter.type}`,
    ];
  const allowed = parameter.decorators.get("allowed");
  return allowed?.kind === "array" ? allowed.items.flatMap((item) => check(place, item, shape)) : [];
}

/** What some functions give is known; of the others, nothing is said. */
function checkCall(place: Place, value: Of<"call", Value>, shape: Shape): readonly string[] {
  if (value.name === "concat" && shape.kind === "array")
    return value.parts.flatMap((part) => check(place, part, shape));
  const gives = ["string", "guid", "replace", "toLower", "uniqueString", "subscriptionResourceId"].includes(
    value.name,
  )
    ? "string"
    : undefined;
  return gives === undefined || shape.kind === gives ? [] : [mismatch(place, value, shape)];
}

function inside(place: Place, name: string): Place {
  return { file: place.file, path: `${place.path}.${name}` };
}

function mismatch(place: Place, value: Value, shape: Shape): string {
  return `${place.file.file}:${value.line} ${place.path}: takes ${shape.kind}, not ${value.kind}`;
}
