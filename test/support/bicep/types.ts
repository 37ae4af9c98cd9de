/**
 * The types that Bicep checks resources by, as Microsoft ships them on npm: in the program of the Azure MCP server, whose
 * tool `bicepschema_get` tells of a type without asking Azure. It knows most types, and one version of each.
 */

import { execFile } from "node:child_process";
import { access, mkdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { z } from "zod";
import type { Shape } from "./check.ts";

const VERSION = "2.0.5";

const run = promisify(execFile);

const Properties = z.array(z.object({ name: z.string(), type: z.string(), flags: z.string().default("") }));
const Definition = z.object({
  $type: z.literal("Object"),
  name: z.string().optional(),
  properties: Properties,
  additionalPropertiesType: z.string().optional(),
});
type Definition = z.output<typeof Definition>;

const Resource = z.object({
  $type: z.literal("Resource"),
  name: z.string(),
  bodyType: z.union([
    Definition.transform((one) => [one]),
    z
      .object({ $type: z.literal("DiscriminatedObject"), elements: z.array(Definition) })
      .transform(({ elements }) => elements),
  ]),
});

const Answer = z.object({ results: z.object({ BicepSchemaResult: z.array(z.unknown()) }) });

/** By `type@version`. The program is fetched once, and so is what it says of each type. */
export async function bicepTypes(types: readonly string[]): Promise<ReadonlyMap<string, Shape>> {
  const folder = join(tmpdir(), `langgraph-functions-azure-mcp-${VERSION}`);
  await mkdir(folder, { recursive: true });
  const fileOf = (type: string) => join(folder, `${type.replaceAll("/", "-")}.json`);
  const isKnown = await Promise.all(types.map((type) => isThere(fileOf(type))));
  const unknown = types.filter((_, at) => isKnown[at] === false);
  if (unknown.length > 0)
    await asking(await programIn(folder), async (ask) => {
      for (const type of unknown) await writeFile(fileOf(type), await ask(type));
    });
  const texts = await Promise.all(types.map((type) => readFile(fileOf(type), "utf8")));
  return new Map(texts.map((text) => toShape(Answer.parse(JSON.parse(text)))));
}

async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

async function programIn(folder: string): Promise<string> {
  const name = `@azure/mcp-${process.platform}-${process.arch}`;
  const program = join(folder, "node_modules", name, "dist/azmcp");
  if (!(await isThere(program))) {
    await writeFile(join(folder, "package.json"), "{}");
    await run("npm", ["install", "--no-save", "--ignore-scripts", `${name}@${VERSION}`], { cwd: folder });
  }
  return program;
}

const Told = z.object({
  isError: z.boolean().optional(),
  content: z.tuple([z.object({ text: z.string() })]),
});

async function asking(
  program: string,
  work: (ask: (type: string) => Promise<string>) => Promise<void>,
): Promise<void> {
  const client = new Client({ name: "langgraph-functions-tests", version: "0" });
  const server = new StdioClientTransport({
    command: program,
    args: ["server", "start", "--namespace", "bicepschema", "--mode", "all"],
    env: { AZURE_MCP_COLLECT_TELEMETRY: "false", DOTNET_SYSTEM_GLOBALIZATION_INVARIANT: "1", HOME: tmpdir() },
    stderr: "ignore",
  });
  await client.connect(server);
  try {
    await work(async (type) => {
      const told = Told.parse(
        await client.callTool({ name: "bicepschema_get", arguments: { "resource-type": type } }),
      );
      const [{ text }] = told.content;
      if (told.isError === true) throw new Error(`${type}: ${text}`);
      return text;
    });
  } finally {
    await client.close();
  }
}

function toShape({ results }: z.output<typeof Answer>): readonly [string, Shape] {
  const parts = results.BicepSchemaResult;
  const resource = parts.map((part) => Resource.safeParse(part).data).find((part) => part !== undefined);
  if (resource === undefined) throw new Error("an answer without a resource");
  const definitions = new Map(
    parts.flatMap((part) => {
      const { data } = Definition.safeParse(part);
      return data?.name === undefined ? [] : [[data.name, data] as const];
    }),
  );
  const shapes = new Map<string, Shape>();
  return [resource.name, merged(resource.bodyType.map((body) => objectShape(body, { definitions, shapes })))];
}

interface Known {
  readonly definitions: ReadonlyMap<string, Definition>;
  /** Those of definitions that were met: some of them hold themselves. */
  readonly shapes: Map<string, Shape>;
}

type ObjectShape = Extract<Shape, { readonly kind: "object" }>;

function objectShape({ name, properties, additionalPropertiesType }: Definition, known: Known): ObjectShape {
  const filled: Record<string, ObjectShape["properties"][string]> = {};
  const others =
    additionalPropertiesType === undefined ? undefined : typeShape(additionalPropertiesType, known);
  const shape: ObjectShape = { kind: "object", properties: filled, others };
  if (name !== undefined) known.shapes.set(name, shape);
  for (const { name: property, type, flags } of properties)
    filled[property] = {
      shape: typeShape(type, known),
      isRequired: flags.includes("Required"),
      isReadOnly: flags.includes("ReadOnly"),
    };
  return shape;
}

/** Of one that is told apart by its name, what any of its kinds takes. */
function merged([first, ...rest]: readonly ObjectShape[]): Shape {
  if (first === undefined) throw new Error("a resource without a body");
  const names = [first, ...rest].flatMap(({ properties }) => {
    const { shape } = properties["name"] ?? {};
    return shape?.kind === "string" ? (shape.values ?? []) : [];
  });
  const name = {
    shape: { kind: "string", ...(names.length === 0 ? {} : { values: names }) },
    isRequired: true,
  } as const;
  return { ...first, properties: { ...first.properties, name } };
}

const PRIMITIVES = { string: "string", int: "int", bool: "bool", any: "any" } as const;

function isPrimitive(type: string): type is keyof typeof PRIMITIVES {
  return Object.hasOwn(PRIMITIVES, type);
}

/** `A | B | string`: these values are known, others may come; to us, others are mistakes. */
function typeShape(type: string, known: Known): Shape {
  if (isPrimitive(type)) return { kind: PRIMITIVES[type] };
  const items = /^\(?(.*?)\)?\[\]$/.exec(type)?.[1];
  if (items !== undefined) return { kind: "array", item: typeShape(items, known) };
  const definition = known.definitions.get(type);
  if (definition !== undefined) return known.shapes.get(type) ?? objectShape(definition, known);
  const values = type.split(" | ").filter((value) => value !== "string");
  return values.some((value) => isPrimitive(value)) ? { kind: "any" } : { kind: "string", values };
}
