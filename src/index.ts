export { LangGraphApp } from "./app.ts";
export { apiKeys } from "./http/api-keys.ts";
export { jwt, type JwtOptions } from "./http/jwt.ts";
export type { AppOptions, AuthOption, StoreOptions } from "./options.ts";
export type { Authentication, Authenticator, User } from "./core/auth.ts";
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
