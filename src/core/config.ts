/** A run's config as the wire spells it, and as LangChain does. */

import type { JsonObject } from "./model.ts";

/** Run configuration as LangChain's `RunnableConfig` spells it. */
export interface GraphConfig {
  readonly configurable?: Readonly<Record<string, unknown>>;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly tags?: readonly string[];
  readonly recursionLimit?: number;
  readonly maxConcurrency?: number;
  readonly runName?: string;
}

/** @see https://docs.langchain.com/langsmith/server-api-ref */
export interface WireConfig {
  readonly configurable?: JsonObject | undefined;
  readonly metadata?: JsonObject | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly recursion_limit?: number | undefined;
  readonly max_concurrency?: number | undefined;
  readonly run_name?: string | undefined;
}

export function toGraphConfig(config: WireConfig): GraphConfig {
  return {
    ...(config.configurable === undefined ? {} : { configurable: config.configurable }),
    ...(config.metadata === undefined ? {} : { metadata: config.metadata }),
    ...(config.tags === undefined ? {} : { tags: config.tags }),
    ...(config.recursion_limit === undefined ? {} : { recursionLimit: config.recursion_limit }),
    ...(config.max_concurrency === undefined ? {} : { maxConcurrency: config.max_concurrency }),
    ...(config.run_name === undefined ? {} : { runName: config.run_name }),
  };
}

export function toWireConfig(config: GraphConfig): WireConfig {
  return {
    ...(config.configurable === undefined ? {} : { configurable: config.configurable }),
    ...(config.metadata === undefined ? {} : { metadata: config.metadata }),
    ...(config.tags === undefined ? {} : { tags: config.tags }),
    ...(config.recursionLimit === undefined ? {} : { recursion_limit: config.recursionLimit }),
    ...(config.maxConcurrency === undefined ? {} : { max_concurrency: config.maxConcurrency }),
    ...(config.runName === undefined ? {} : { run_name: config.runName }),
  };
}

/** `over` laid over `config`: field by field, and `configurable` and `metadata` key by key. */
export function mergeConfigs(config: GraphConfig, over: GraphConfig): GraphConfig {
  return {
    ...config,
    ...over,
    configurable: { ...config.configurable, ...over.configurable },
    metadata: { ...config.metadata, ...over.metadata },
  };
}
