export { LangGraphApp } from "./app.ts";
export { apiKeys } from "./http/api-keys.ts";
export { jwt, type JwtOptions } from "./http/jwt.ts";
export type { AppOptions, AuthOption, StoreOptions } from "./options.ts";
export type { CheckOptions } from "./checks.ts";
export type { Authentication, Authenticator } from "./core/auth.ts";
export type {
  CompiledGraph,
  ContextFactory,
  GraphFactory,
  GraphLoader,
  GraphOptions,
  GraphSource,
} from "./core/graphs.ts";
export type { GraphConfig } from "./core/config.ts";
export type { LinkChoice, ResumeLink } from "./core/resume-links.ts";
export type { Check } from "./core/status.ts";
export type { ResumeLinkOptions } from "./http/resume-links.ts";
export type { AuthLevel, Doors, HttpFunction, Invocation, User } from "./core/model.ts";
export type { LogWriter as Logger } from "./core/logger.ts";
