export { startEmbeddedPostgres, type EmbeddedOptions, type EmbeddedPostgres } from "./postgres.ts";
export { runLocally } from "./run.ts";
export { serveLocally, type LocalOptions, type LocalServer } from "./serve.ts";
