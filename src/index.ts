export { LangGraphApp } from "./app.ts";
export type { AppOptions, StoreOptions } from "./options.ts";
export type {
  CompiledGraph,
  ContextFactory,
  GraphConfig,
  GraphFactory,
  GraphLoader,
  GraphOptions,
  GraphSource,
} from "./core/graphs.ts";
export type { AuthLevel, Doors, HttpFunction, Invocation } from "./core/model.ts";
export type { Logger } from "./core/ports.ts";
