/**
 * langgraph.json, read. What we do not know is an error that names it, and so is what we know and cannot do; what only
 * concerns how LangGraph Platform makes its containers is told, once, to be without effect.
 * @see https://docs.langchain.com/langsmith/cli#configuration-file
 */

import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { parseEnv } from "node:util";
import { z } from "zod";
import type { Variables } from "../environment.ts";
import type { ProjectOptions } from "../project/options.ts";
import { HttpSection, httpOptions } from "./config-http.ts";
import {
  AuthSection,
  CheckpointerSection,
  sectionOptions,
  StoreSection,
  sweepKeys,
  WebhooksSection,
} from "./config-sections.ts";
import { isReference, toReference, type Reference } from "./reference.ts";
import { unsupported } from "./unsupported.ts";

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
  /** Of `store.index`. */
  readonly embed: Reference | undefined;
  /** `auth.path`. */
  readonly auth: Reference | undefined;
  /** Whether LangGraph Studio may come in without credentials, on a developer's machine. */
  readonly allowsStudio: boolean;
  readonly options: ProjectOptions;
  /** What is there and without effect here, as it is about the Platform's containers or its user interface. */
  readonly ignored: readonly string[];
  /** The same, as each tick deletes what has expired. */
  readonly sweeps: readonly string[];
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
  auth: AuthSection.optional(),
  store: StoreSection.optional(),
  checkpointer: CheckpointerSection.optional(),
  webhooks: WebhooksSection.optional(),
  encryption: unsupported("is not supported: data would be stored unencrypted"),
});

/** @throws Error that says which file, and what is wrong in it */
export async function readConfig(path: string): Promise<LangGraphConfig> {
  const file = resolve(path);
  const folder = dirname(file);
  const config = parseConfig(path, await readText(file, path));
  const { graphs, env, http, store, auth = {} } = config;
  const ofHttp = httpOptions(http ?? {});
  const ofSections = sectionOptions(config);
  const ignored = Object.keys(WITHOUT_EFFECT).filter((key) => Object.hasOwn(config, key));
  return {
    file,
    folder,
    graphs: Object.fromEntries(Object.entries(graphs).map(([name, entry]) => [name, toGraph(folder, entry)])),
    env: await readEnv(folder, env),
    envFile: typeof env === "string" ? resolve(folder, env) : undefined,
    httpApp: http?.app === undefined ? undefined : toReference(folder, http.app),
    embed: store?.index === undefined ? undefined : toReference(folder, store.index.embed),
    auth: auth.path === undefined ? undefined : toReference(folder, auth.path),
    allowsStudio: auth.disable_studio_auth !== true,
    options: {
      ...ofHttp,
      ...ofSections,
      webhooks: { ...ofSections.webhooks, ...ofHttp.webhooks },
      ...auth.openapi,
    },
    ignored,
    sweeps: sweepKeys(config),
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

async function readEnv(folder: string, env: z.output<typeof Config>["env"] = {}): Promise<Variables> {
  if (typeof env === "string") return parseEnv(await readText(resolve(folder, env), env));
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [name, String(value)]));
}
