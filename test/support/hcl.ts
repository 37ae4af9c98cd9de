/** Terraform's files, parsed: each expression is the text that stands there, in `${…}`. */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "@cdktn/hcl2json";
import { z } from "zod";

const Fields = z.record(z.string(), z.unknown());
/** A block is a list of those that bear its name. */
const Blocks = z.record(z.string(), z.array(Fields)).default({});

const File = z.object({
  locals: z.array(Fields).default([]),
  variable: Blocks,
  output: Blocks,
  resource: z.record(z.string(), Blocks).default({}),
  data: z.record(z.string(), Blocks).default({}),
});

export interface HclBlock {
  readonly type: string;
  readonly name: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface HclModule {
  readonly locals: Readonly<Record<string, unknown>>;
  readonly variables: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
  readonly outputs: readonly string[];
  readonly resources: readonly HclBlock[];
  readonly data: readonly HclBlock[];
}

/** The module in a folder below the root of this repository. */
export async function readModule(path: string): Promise<HclModule> {
  const folder = fileURLToPath(new URL(`../../${path}`, import.meta.url));
  const names = (await readdir(folder)).filter((name) => name.endsWith(".tf"));
  const files = await Promise.all(
    names.map(async (name) => File.parse(await parse(name, await readFile(join(folder, name), "utf8")))),
  );
  return {
    locals: Object.assign({}, ...files.flatMap(({ locals }) => locals)),
    variables: new Map(
      files.flatMap(({ variable }) =>
        Object.entries(variable).map(([name, fields]) => [name, Object.assign({}, ...fields)]),
      ),
    ),
    outputs: files.flatMap(({ output }) => Object.keys(output)),
    resources: files.flatMap(({ resource }) => blocksOf(resource)),
    data: files.flatMap(({ data }) => blocksOf(data)),
  };
}

function blocksOf(byType: z.output<typeof File>["resource"]): readonly HclBlock[] {
  return Object.entries(byType).flatMap(([type, byName]) =>
    Object.entries(byName).flatMap(([name, blocks]) => blocks.map((fields) => ({ type, name, fields }))),
  );
}
