export { LangGraphApp } from "./app.ts";
export { AppError, type AppErrorOptions, type ErrorCode } from "./errors.ts";
export { apiKeys } from "./http/api-keys.ts";
export { jwt, type JwtOptions } from "./http/jwt.ts";
export type { AppOptions, AuthOption, CorsOptions, CustomApp } from "./options.ts";
export type { Embeddings, StoreOptions } from "./store-options.ts";
export type { WebhookOptions } from "./webhook-options.ts";
export type { CheckOptions } from "./checks.ts";
export type {
  AuthEvent,
  Authentication,
  Authenticator,
  AuthHost,
  Grant,
  MetadataCondition,
  Policy,
  Scope,
} from "./core/auth.ts";
export type {
  CompiledGraph,
  ContextFactory,
  GraphFactory,
  GraphLoader,
  GraphOptions,
  GraphRuntime,
  GraphSource,
} from "./core/graphs.ts";
export type { GraphConfig } from "./core/config.ts";
export type { LinkChoice, ResumeLink } from "./core/resume-links.ts";
export type { Check } from "./core/status.ts";
export type { ResumeLinkOptions } from "./http/resume-links.ts";
export type { AuthLevel, Doors, HttpFunction, Invocation, TickReport, User } from "./core/model.ts";
export type { LogWriter as Logger } from "./core/logger.ts";
