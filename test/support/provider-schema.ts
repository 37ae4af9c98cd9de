/**
 * What the newest provider of Terraform takes, read from the types that are made of its schema and are on npm: which
 * arguments there are, which must be there, and of what kind they are; not their values.
 */

import { execFile } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { makeOnce } from "../../src/local/place.ts";
import type { HclBlock } from "./hcl.ts";

const execute = promisify(execFile);

/** The folder of a package of types such as `@cdktn/provider-aws`, fetched once: it is too large for a dependency. */
export async function fetchSchemas(name: string, version: string): Promise<string> {
  const folder = join(tmpdir(), `langgraph-functions-${name.replaceAll(/[^\w]+/g, "-").slice(1)}-${version}`);
  await makeOnce(folder, async (unfinished) => {
    await mkdir(unfinished);
    await execute("npm", ["pack", "--silent", "--pack-destination", unfinished, `${name}@${version}`]);
    const archive = join(unfinished, `${name.slice(1).replace("/", "-")}-${version}.tgz`);
    const { stdout } = await execute("tar", ["-tzf", archive], { maxBuffer: 64 * 1024 * 1024 });
    const wanted = join(unfinished, "wanted"); // as not every tar knows patterns
    await writeFile(
      wanted,
      stdout
        .split("\n")
        .filter((path) => path.endsWith("/index.d.ts"))
        .join("\n"),
    );
    await execute("tar", ["-xzf", archive, "-C", unfinished, "-T", wanted]);
    await rm(archive);
  });
  return folder;
}

/** What is wrong with a resource or data source, each with its name. */
export async function problemsOf(
  folder: string,
  { type, name, fields }: HclBlock,
  kind: "resource" | "data",
): Promise<string[]> {
  const [, provider = "", rest = ""] = /^([a-z]+)_(.+)$/.exec(type) ?? [];
  const path = `${kind === "data" ? `data-${provider}-` : ""}${rest.replaceAll("_", "-")}`;
  const source = await readFile(join(folder, "package/lib", path, "index.d.ts"), "utf8").catch(() => "");
  const [, root = ""] =
    /export interface (\w+Config) extends cdktn\.TerraformMetaArguments/.exec(source) ?? [];
  if (root === "") return [`${type}.${name}: there is no such ${kind}`];
  return check(source, root, fields).map((problem) => `${type}.${name}: ${problem}`);
}

/** Terraform's own, which no schema has. */
const META = new Set(["count", "for_each", "depends_on", "lifecycle", "provider", "dynamic"]);

interface Argument {
  readonly isRequired: boolean;
  readonly type: string;
}

function check(source: string, name: string, fields: Readonly<Record<string, unknown>>): string[] {
  const known = argumentsOf(source, name);
  const given = { ...fields, ...dynamicBlocks(fields["dynamic"]) };
  const missing = [...known].filter(([key, { isRequired }]) => isRequired && given[key] === undefined);
  return [
    ...missing.map(([key]) => `${key} is missing`),
    ...Object.entries(given).flatMap(([key, value]) => {
      const argument = known.get(key);
      if (argument !== undefined) return checkValue(source, argument.type, value, key);
      return META.has(key) ? [] : [`there is no ${key}`];
    }),
  ];
}

function checkValue(source: string, type: string, value: unknown, key: string): string[] {
  const [, nested] = /^([A-Z]\w+)(?:\[\])?(?: \| .+)?$/.exec(type) ?? [];
  if (nested !== undefined && Array.isArray(value))
    return value.flatMap((block: unknown) =>
      isObject(block) ? check(source, nested, block).map((problem) => `${key}: ${problem}`) : [],
    );
  if (typeof value === "string" && value.includes("${")) return []; // an expression, of which only Terraform knows the type
  const fits =
    (typeof value === "object" && nested !== undefined) ||
    (Array.isArray(value) ? /\w\[\]/ : isObject(value) ? /^\{/ : SCALARS[typeof value])?.test(type) === true;
  return fits ? [] : [`${key} is of type ${type}`];
}

const SCALARS: Readonly<Record<string, RegExp>> = {
  number: /\bnumber\b(?!\[)/,
  boolean: /\bboolean\b(?!\[)/,
  string: /\bstring\b(?!\[)/,
};

/** By the names that Terraform has for them, which their comments tell. */
function argumentsOf(source: string, name: string): ReadonlyMap<string, Argument> {
  const start = source.search(new RegExp(`export interface ${name} `));
  const body = source.slice(start, source.indexOf("\n}", start));
  const found = body.matchAll(
    /\{@link \S+ \w+#(\w+)\}(?:(?!\{@link)[\s\S])*?readonly \w+(\??): (\{[^}]*\}|[^;]+);/g,
  );
  return new Map(
    [...found].map(([, key = "", optional, type = ""]) => [key, { isRequired: optional === "", type }]),
  );
}

function dynamicBlocks(dynamic: unknown): Readonly<Record<string, unknown>> {
  if (!isObject(dynamic)) return {};
  return Object.fromEntries(
    Object.entries(dynamic).map(([name, blocks]) => [
      name,
      (Array.isArray(blocks) ? blocks : []).flatMap((block: unknown) =>
        isObject(block) && Array.isArray(block["content"]) ? block["content"] : [],
      ),
    ]),
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
