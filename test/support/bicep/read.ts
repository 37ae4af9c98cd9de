/** What a Bicep file says, out of the syntax tree that the language's tree-sitter grammar gives. It evaluates nothing. */

import { createRequire } from "node:module";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Language, Parser, type Node } from "web-tree-sitter";

export type Value = { readonly line: number } & (
  | { readonly kind: "object"; readonly entries: readonly Entry[] }
  | { readonly kind: "array"; readonly items: readonly Value[] }
  /** With what is filled in as it is written: `${name}-runs`. */
  | { readonly kind: "string"; readonly text: string; readonly isInterpolated: boolean }
  | { readonly kind: "number"; readonly number: number }
  | { readonly kind: "boolean"; readonly boolean: boolean }
  | { readonly kind: "null" }
  | { readonly kind: "either"; readonly condition: Value; readonly values: readonly Value[] }
  | { readonly kind: "each"; readonly item: Value }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "call"; readonly name: string; readonly parts: readonly Value[] }
  | { readonly kind: "other"; readonly text: string }
);

interface Entry {
  readonly name: string;
  readonly value: Value;
  readonly line: number;
}

export interface Parameter {
  readonly name: string;
  readonly type: string;
  readonly fallback: Value | undefined;
  /** By its name, what a decorator is given: description, allowed, minValue, … */
  readonly decorators: ReadonlyMap<string, Value | undefined>;
}

interface Declared {
  readonly symbol: string;
  /** `Microsoft.Web/sites@2024-11-01`; of a module, its file. */
  readonly type: string;
  readonly isConditional: boolean;
  readonly body: Value;
}

/** `storage.properties.primaryEndpoints.blob` */
interface Mention {
  readonly symbol: string;
  readonly path: readonly string[];
  readonly line: number;
}

export interface BicepFile {
  readonly file: string;
  readonly source: string;
  /** Of the first fault of its syntax. */
  readonly fault: number | undefined;
  readonly parameters: ReadonlyMap<string, Parameter>;
  readonly variables: ReadonlyMap<string, Value>;
  readonly resources: readonly Declared[];
  readonly modules: readonly Declared[];
  readonly outputs: ReadonlyMap<string, Value>;
  readonly mentions: readonly Mention[];
}

let parser: Promise<Parser> | undefined;

async function openParser(): Promise<Parser> {
  await Parser.init();
  const wasm = createRequire(import.meta.url).resolve("tree-sitter-bicep/tree-sitter-bicep.wasm");
  return new Parser().setLanguage(await Language.load(await readFile(wasm)));
}

/** Every file of the folder and of those in it. */
export async function readBicep(folder: string): Promise<readonly BicepFile[]> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".bicep"));
  const files = names.toSorted().map((name) => join(folder, name));
  return Promise.all(files.map(async (file) => parseBicep(file, await readFile(file, "utf8"))));
}

export async function parseBicep(file: string, source: string): Promise<BicepFile> {
  const tree = (await (parser ??= openParser())).parse(source);
  if (tree === null) throw new Error(`${file}: no tree`);
  const read = {
    file,
    source,
    fault: faultOf(tree.rootNode),
    parameters: new Map<string, Parameter>(),
    variables: new Map<string, Value>(),
    resources: [] as Declared[],
    modules: [] as Declared[],
    outputs: new Map<string, Value>(),
    mentions: tree.rootNode.descendantsOfType("member_expression").flatMap((node) => mentionOf(node)),
  };
  let decorators: Node | undefined;
  for (const node of named(tree.rootNode)) {
    if (node.type === "decorators") decorators = node;
    else {
      readDeclaration(node, decorators, read);
      decorators = undefined;
    }
  }
  tree.delete();
  return read;
}

type Reading = {
  -readonly [Key in keyof BicepFile]: BicepFile[Key] extends ReadonlyMap<infer Name, infer Item>
    ? Map<Name, Item>
    : BicepFile[Key] extends readonly (infer Item)[]
      ? Item[]
      : BicepFile[Key];
};

function readDeclaration(node: Node, decorators: Node | undefined, into: Reading): void {
  const [name, ...rest] = named(node);
  const last = rest.at(-1);
  if (name === undefined) return;
  switch (node.type) {
    case "parameter_declaration":
      into.parameters.set(name.text, {
        name: name.text,
        type: rest[0]?.text ?? "",
        fallback: rest.length > 1 && last !== undefined ? toValue(last) : undefined,
        decorators: decoratorsOf(decorators),
      });
      break;
    case "variable_declaration":
      if (last !== undefined) into.variables.set(name.text, toValue(last));
      break;
    case "output_declaration":
      if (last !== undefined) into.outputs.set(name.text, toValue(last));
      break;
    case "resource_declaration":
      into.resources.push(...resourcesIn(node, undefined));
      break;
    case "module_declaration":
      into.modules.push(declared(node));
      break;
  }
}

function decoratorsOf(node: Node | undefined): Map<string, Value | undefined> {
  const calls =
    node === undefined ? [] : named(node).map((decorator) => toValue(named(decorator)[0] ?? decorator));
  return new Map(
    calls.flatMap((call) => (call.kind === "call" ? [[call.name, call.parts[0]] as const] : [])),
  );
}

/** It, and those within it, whose types begin with its own. */
function resourcesIn(node: Node, parent: Declared | undefined): readonly Declared[] {
  const own = declared(node);
  const [parentType] = parent?.type.split("@") ?? [];
  const version = own.type.includes("@") ? "" : `@${parent?.type.split("@")[1]}`;
  const resource = parentType === undefined ? own : { ...own, type: `${parentType}/${own.type}${version}` };
  const nested = node
    .descendantsOfType("resource_declaration")
    .filter((inner) => inner !== null && inner.id !== node.id && enclosing(inner)?.id === node.id);
  return [resource, ...nested.flatMap((inner) => (inner === null ? [] : resourcesIn(inner, resource)))];
}

function enclosing(node: Node): Node | null {
  let outer = node.parent;
  while (outer !== null && outer.type !== "resource_declaration") outer = outer.parent;
  return outer;
}

function declared(node: Node): Declared {
  const [symbol, type, ...rest] = named(node);
  const body = rest.at(-1);
  if (symbol === undefined || type === undefined || body === undefined)
    throw new Error(`a half ${node.type}`);
  const isConditional = body.type === "if_statement";
  const inner = isConditional ? (named(body).at(-1) ?? body) : body;
  return { symbol: symbol.text, type: textOf(type), isConditional, body: toValue(inner) };
}

/** Of the longest way only, as the shorter ones are within it. */
function mentionOf(node: Node | null): readonly Mention[] {
  if (node === null || node.parent?.type === "member_expression") return [];
  const path: string[] = [];
  let at: Node | null = node;
  while (at?.type === "member_expression") {
    path.unshift(at.childForFieldName("property")?.text ?? "");
    at = at.childForFieldName("object");
  }
  return at?.type === "identifier" ? [{ symbol: at.text, path, line: node.startPosition.row + 1 }] : [];
}

function named(node: Node): readonly Node[] {
  return node.namedChildren.flatMap((child) => (child === null || child.type === "comment" ? [] : [child]));
}

function textOf(string: Node): string {
  const text = string.text;
  return text.startsWith("'''") ? text.slice(3, -3) : text.slice(1, -1).replaceAll("\\'", "'");
}

function toValue(node: Node): Value {
  const line = node.startPosition.row + 1;
  const other = { line, kind: "other", text: node.text } as const;
  const children = named(node);
  const inner = children.at(-1);
  switch (node.type) {
    case "object":
      return { line, kind: "object", entries: children.flatMap(toEntry) };
    case "array":
      return { line, kind: "array", items: children.map(toValue) };
    case "string":
      return {
        line,
        kind: "string",
        text: textOf(node),
        isInterpolated: node.descendantsOfType("interpolation").length > 0,
      };
    case "number":
      return { line, kind: "number", number: Number(node.text) };
    case "boolean":
      return { line, kind: "boolean", boolean: node.text === "true" };
    case "null":
      return { line, kind: "null" };
    case "identifier":
      return { line, kind: "name", name: node.text };
    case "ternary_expression":
      return eitherOf(node);
    case "for_statement":
      return inner === undefined ? other : { line, kind: "each", item: toValue(inner) };
    case "parenthesized_expression":
      return inner === undefined ? other : toValue(inner);
    case "call_expression":
      return callOf(node);
    default:
      return other;
  }
}

function eitherOf(node: Node): Value {
  const [condition = node, ...values] = named(node);
  return {
    line: node.startPosition.row + 1,
    kind: "either",
    condition: toValue(condition),
    values: values.map(toValue),
  };
}

function callOf(node: Node): Value {
  const [callee, given] = named(node);
  return {
    line: node.startPosition.row + 1,
    kind: "call",
    name: callee?.text ?? "",
    parts: given === undefined ? [] : named(given).map(toValue),
  };
}

function toEntry(node: Node): readonly Entry[] {
  const [name, value] = named(node);
  if (node.type !== "object_property" || name === undefined || value === undefined) return [];
  const line = node.startPosition.row + 1;
  return [{ name: name.type === "string" ? textOf(name) : name.text, value: toValue(value), line }];
}

function faultOf(node: Node): number | undefined {
  if (!node.hasError) return undefined;
  const faulty = node.children.find(
    (child) => child !== null && (child.isError || child.isMissing || child.hasError),
  );
  return faulty === undefined || faulty === null || faulty.isError || faulty.isMissing
    ? (faulty ?? node).startPosition.row + 1
    : faultOf(faulty);
}
