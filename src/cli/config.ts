/**
 * langgraph.json, read. What we do not know is an error that names it, and so is what we know and cannot do; what only
 * concerns how LangGraph Platform makes its containers is told, once, to be without effect.
 * @see https://docs.langchain.com/langsmith/cli#configuration-file
 */

import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { parseEnv } from "node:util";
import { z } from "zod";
import type { Variables } from "../settings.ts";
import { HttpSection, toAppOptions, type HttpOptions } from "./config-http.ts";
import { unsupported } from "./unsupported.ts";

/** Where a value comes from: `./src/agent.ts:graph`. */
export interface Reference {
  /** Absolute. */
  readonly file: string;
  /** As the project writes it. */
  readonly shown: string;
  readonly name: string;
}

export interface LangGraphConfig {
  /** Absolute; with its folder, which everything is relative to. */
  readonly file: string;
  readonly folder: string;
  readonly graphs: Readonly<Record<string, Reference & { readonly description?: string | undefined }>>;
  /** Of the section `env`; a file of it is read. */
  readonly env: Variables;
  /** A file whose changes concern us. */
  readonly envFile: string | undefined;
  readonly httpApp: Reference | undefined;
  readonly http: HttpOptions;
  /** What is there, and without effect here. */
  readonly ignored: readonly string[];
}

const anything = z.unknown().optional();

/** Of the Platform's containers, and of its user interface. */
const WITHOUT_EFFECT = {
  node_version: anything,
  python_version: anything,
  dependencies: anything,
  dockerfile_lines: anything,
  pip_config_file: anything,
  pip_installer: anything,
  keep_pkg_tools: anything,
  base_image: anything,
  image_distro: anything,
  api_version: anything,
  internal_docker_tag: anything,
  _INTERNAL_docker_tag: anything,
  ui: anything,
  ui_config: anything,
};

const isReference = z.string().regex(/^.+:[^:/\\]+$/, 'must be like "./src/agent.ts:graph"');
const GraphEntry = z.union(
  [isReference, z.strictObject({ path: isReference, description: z.string().optional() })],
  'must be "./file.ts:export", or { "path": "./file.ts:export", "description": "…" }',
);

const Config = z.strictObject({
  $schema: anything,
  ...WITHOUT_EFFECT,
  graphs: z
    .record(z.string(), GraphEntry)
    .refine((graphs) => Object.keys(graphs).length > 0, "must name at least one graph"),
  env: z
    .union(
      [z.string(), z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]))],
      "must be the path of a .env file, or an object of variables",
    )
    .optional(),
  http: HttpSection.optional(),
  auth: z
    .strictObject({
      path: unsupported(
        "custom authentication is not supported yet: it is refused, so that nothing is served unprotected",
      ),
      disable_studio_auth: z.boolean().optional(), // Studio has no privileges here that could be turned off
    })
    .optional(),
  store: unsupported("is not supported yet"),
  checkpointer: unsupported("is not supported yet: checkpoints are kept until their thread is deleted"),
  webhooks: unsupported("is not supported yet"),
  encryption: unsupported("is not supported: data would be stored unencrypted"),
});

/** @throws Error that says which file, and what is wrong in it */
export async function readConfig(path: string): Promise<LangGraphConfig> {
  const file = resolve(path);
  const folder = dirname(file);
  const config = parseConfig(path, await readText(file, path));
  const { graphs, env, http } = config;
  const ignored = Object.keys(WITHOUT_EFFECT).filter((key) => Object.hasOwn(config, key));
  return {
    file,
    folder,
    graphs: Object.fromEntries(Object.entries(graphs).map(([name, entry]) => [name, toGraph(folder, entry)])),
    env: await readEnv(folder, env),
    envFile: typeof env === "string" ? resolve(folder, env) : undefined,
    httpApp: http?.app === undefined ? undefined : toReference(folder, http.app),
    http: toAppOptions(http ?? {}),
    ignored,
  };
}

async function readText(file: string, shown: string): Promise<string> {
  return readFile(file, "utf8").catch((error: unknown) => {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    throw new Error(isMissing ? `There is no file ${shown}.` : `${shown} cannot be read: ${String(error)}`, {
      cause: error,
    });
  });
}

function parseConfig(path: string, text: string): z.output<typeof Config> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`${path} is not JSON: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  const result = Config.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.flatMap((issue) =>
    issue.code === "unrecognized_keys"
      ? issue.keys.map((key) => `${[...issue.path, key].join(".")} is not known`)
      : `${issue.path.join(".") || "the file"}: ${issue.message}`,
  );
  throw new Error(`${path} cannot be served:\n  ${[...new Set(problems)].join("\n  ")}`);
}

function toGraph(folder: string, entry: z.output<typeof GraphEntry>): LangGraphConfig["graphs"][string] {
  if (typeof entry === "string") return toReference(folder, entry);
  return { ...toReference(folder, entry.path), description: entry.description };
}

/** @throws Error for a file of another language */
function toReference(folder: string, text: string): Reference {
  const colon = text.lastIndexOf(":");
  const shown = text.slice(0, colon);
  if (shown.endsWith(".py")) throw new Error(`${shown}: graphs in Python cannot be served here.`);
  return { file: resolve(folder, shown), shown, name: text.slice(colon + 1) };
}

async function readEnv(folder: string, env: z.output<typeof Config>["env"] = {}): Promise<Variables> {
  if (typeof env === "string") return parseEnv(await readText(resolve(folder, env), env));
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [name, String(value)]));
}
