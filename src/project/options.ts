/** The options that a project's langgraph.json gives: plain data, so that `build` can write them into a bundle. */

import type { AppOptions } from "../options.ts";
import { isEmbeddings, type Embeddings, type StoreOptions } from "../store-options.ts";
import { once } from "../once.ts";
import type { Variables } from "../environment.ts";
import { exportOf, type ProjectExport } from "./graph.ts";

export interface ProjectOptions extends Pick<
  AppOptions,
  | "cors"
  | "disable"
  | "routePrefix"
  | "threads"
  | "configurableHeaders"
  | "securitySchemes"
  | "security"
  | "allowStudio"
> {
  readonly store?: {
    /** Without what embeds, which is code. */
    readonly index?: { readonly dims: number; readonly fields?: readonly string[] | undefined };
    readonly ttl: NonNullable<StoreOptions["ttl"]>;
  };
  /** In a header, `${{ env.NAME }}` stands for an environment variable. */
  readonly webhooks?: AppOptions["webhooks"];
}

/** @see https://docs.langchain.com/langsmith/use-webhooks */
export const HEADER_VARIABLE = /\$\{\{\s*env\.(\w+)\s*\}\}/g;

/** The options of the app. @throws TypeError that names a variable of a header that is not set */
export function appOptions(
  { store, webhooks, ...options }: ProjectOptions,
  embed: ProjectExport | undefined,
  variables: Variables,
): AppOptions {
  return {
    ...options,
    ...(store === undefined ? {} : { store: storeOptions(store, embed) }),
    ...(webhooks === undefined
      ? {}
      : { webhooks: { ...webhooks, headers: withVariables(webhooks.headers ?? {}, variables) } }),
  };
}

function storeOptions(
  { index, ttl }: NonNullable<ProjectOptions["store"]>,
  embed: ProjectExport | undefined,
): StoreOptions {
  if (index === undefined || embed === undefined) return { ttl };
  return { ttl, index: { ...index, embed: lazyEmbeddings(embed) } };
}

function withVariables(
  headers: Readonly<Record<string, string>>,
  variables: Variables,
): Readonly<Record<string, string>> {
  const filled = ([header, template]: [string, string]): [string, string] => [
    header,
    template.replaceAll(HEADER_VARIABLE, (_, name: string) => {
      const value = variables[name] ?? "";
      if (value !== "") return value;
      throw new TypeError(`webhooks.headers.${header}: the environment variable ${name} is not set`);
    }),
  ];
  return Object.fromEntries(Object.entries(headers).map(filled));
}

/** `store.index.embed`, loaded with the first text that is to be embedded. */
function lazyEmbeddings(embed: ProjectExport): Embeddings {
  const load = once(async () => loadEmbeddings(embed));
  return {
    embedDocuments: async (texts) => (await load()).embedDocuments(texts),
    embedQuery: async (text) => (await load()).embedQuery(text),
  };
}

/** @throws TypeError when the file exports nothing that embeds */
export async function loadEmbeddings({ load, name, file }: ProjectExport): Promise<Embeddings> {
  const value: unknown = await exportOf(await load(), name);
  if (isEmbeddings(value)) return value;
  if (!isEmbeddingFunction(value)) {
    throw new TypeError(
      `${file}: the export "${name}" must be LangChain Embeddings, or a function (texts) => Promise<vectors>.`,
    );
  }
  return { embedDocuments: value, embedQuery: async (text) => (await value([text])).at(0) ?? [] };
}

/** What it gives is checked with each answer. */
function isEmbeddingFunction(value: unknown): value is Embeddings["embedDocuments"] {
  return typeof value === "function";
}
