/** Terraform's files, read by the language's tree-sitter grammar: each expression is the text that stands there, in `${…}`. */

import { createRequire } from "node:module";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Language, Parser, type Node } from "web-tree-sitter";

type Fields = Readonly<Record<string, unknown>>;

export interface HclBlock {
  readonly type: string;
  readonly name: string;
  /** Attributes by name; blocks, which may be there more than once, as lists. */
  readonly fields: Fields;
}

export interface HclModule {
  readonly locals: Fields;
  readonly variables: ReadonlyMap<string, Fields>;
  readonly outputs: readonly string[];
  readonly resources: readonly HclBlock[];
  readonly data: readonly HclBlock[];
}

/** The module in a folder below the root of this repository. */
export async function readModule(path: string): Promise<HclModule> {
  const folder = fileURLToPath(new URL(`../../${path}`, import.meta.url));
  const names = (await readdir(folder)).filter((name) => name.endsWith(".tf"));
  const files = await Promise.all(
    names.map(async (name) => parse(name, await readFile(join(folder, name), "utf8"))),
  );
  const blocks = files.flat();
  const of = (keyword: string): readonly Block[] => blocks.filter((block) => block.keyword === keyword);
  const named = (keyword: string): readonly HclBlock[] =>
    of(keyword).map(({ labels: [type = "", name = ""], fields }) => ({ type, name, fields }));
  return {
    locals: Object.assign({}, ...of("locals").map(({ fields }) => fields)),
    variables: new Map(of("variable").map(({ labels: [name = ""], fields }) => [name, fields])),
    outputs: of("output").flatMap(({ labels }) => labels),
    resources: named("resource"),
    data: named("data"),
  };
}

interface Block {
  readonly keyword: string;
  readonly labels: readonly string[];
  readonly fields: Fields;
}

let parser: Promise<Parser> | undefined;

async function openParser(): Promise<Parser> {
  await Parser.init();
  const grammar = "@tree-sitter-grammars/tree-sitter-hcl/tree-sitter-terraform.wasm";
  const wasm = createRequire(import.meta.url).resolve(grammar);
  return new Parser().setLanguage(await Language.load(await readFile(wasm)));
}

/** @throws Error where the syntax is wrong */
async function parse(name: string, source: string): Promise<readonly Block[]> {
  const tree = (await (parser ??= openParser())).parse(source);
  if (tree === null || tree.rootNode.hasError) throw new Error(`${name}: the syntax is wrong`);
  return childrenOf(tree.rootNode, "body").flatMap((body) => childrenOf(body, "block").map(blockOf));
}

function blockOf(node: Node): Block {
  const [keyword = "", ...labels] = node.namedChildren
    .filter((child) => child?.type === "identifier" || child?.type === "string_lit")
    .map((child) => unquoted(child?.text ?? ""));
  return { keyword, labels, fields: fieldsOf(childrenOf(node, "body")[0]) };
}

/** Blocks by their keyword, those with a label by that as well: `dynamic: { vpc_config: […] }`. */
function fieldsOf(body: Node | undefined): Fields {
  const attributes = childrenOf(body, "attribute").map(
    ({ namedChildren: [name, value] }): [string, unknown] => [name?.text ?? "", value && valueOf(value)],
  );
  const blocks = childrenOf(body, "block").map(blockOf);
  const keywords = [...new Set(blocks.map(({ keyword }) => keyword))];
  return {
    ...Object.fromEntries(attributes),
    ...Object.fromEntries(
      keywords.map((keyword) => [keyword, listed(blocks.filter((block) => block.keyword === keyword))]),
    ),
  };
}

function listed(blocks: readonly Block[]): unknown {
  const labelled = blocks.filter(({ labels }) => labels.length > 0);
  if (labelled.length === 0) return blocks.map(({ fields }) => fields);
  return Object.fromEntries(labelled.map(({ labels, fields }) => [labels.join("."), [fields]]));
}

/** JSON for what is written out, and `${…}` around what Terraform is to find out. */
function valueOf(node: Node): unknown {
  const [inner, ...others] = node.namedChildren;
  switch (node.type) {
    case "expression":
    case "literal_value":
    case "collection_value":
    case "template_expr":
      return inner && others.length === 0 && inner.text === node.text ? valueOf(inner) : `\${${node.text}}`;
    case "numeric_lit":
      return Number(node.text);
    case "bool_lit":
      return node.text === "true";
    case "null_lit":
      return null;
    case "string_lit":
    case "quoted_template":
      return unquoted(node.text);
    case "tuple":
      return childrenOf(node, "expression").map(valueOf);
    case "object":
      return Object.fromEntries(childrenOf(node, "object_elem").map(entryOf));
    default:
      return `\${${node.text}}`;
  }
}

function entryOf(node: Node): [string, unknown] {
  const value = node.childForFieldName("val");
  return [unquoted(node.childForFieldName("key")?.text ?? ""), value && valueOf(value)];
}

function childrenOf(node: Node | undefined, type: string): readonly Node[] {
  return (node?.namedChildren ?? []).filter((child) => child !== null).filter((child) => child.type === type);
}

/** With what is filled in as it is written: `${var.name}-runs`. */
function unquoted(text: string): string {
  return /^".*"$/s.test(text) ? text.slice(1, -1).replaceAll(/\\(["\\])/g, "$1") : text;
}
