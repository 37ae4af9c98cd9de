/**
 * What a cold start loads, in one chunk. esbuild puts files together that the same entries and `import()`s need, and so
 * what the app's start shares with its many lazy modules would lie in some twenty pieces, at half a millisecond each.
 * Here each of these modules needs all of the app, which has been loaded by then.
 * @see https://esbuild.github.io/api/#splitting
 */

import { dirname, join, sep } from "node:path";
import type { Plugin } from "esbuild";

const APP = "langgraph-functions";
const NAMESPACE = "one-eager-chunk";

/** Puts a module between that imports the app as well. */
export const oneEagerChunk: Plugin = {
  name: NAMESPACE,
  setup: (build) => {
    build.onResolve({ filter: /^\.\.?\// }, async ({ path, kind, importer }) => {
      if (kind !== "dynamic-import") return undefined;
      const from = dirname(importer);
      const app = await build.resolve(APP, { kind: "import-statement", resolveDir: from });
      const isOurs = importer.startsWith(dirname(app.path) + sep);
      return isOurs ? { path: join(from, path), namespace: NAMESPACE } : undefined;
    });
    build.onResolve(
      { filter: /^langgraph-functions$/, namespace: NAMESPACE },
      async ({ path, kind, resolveDir }) => {
        const { path: app } = await build.resolve(path, { kind, resolveDir });
        return { path: app, sideEffects: true }; // or nobody would need it who takes nothing from it
      },
    );
    build.onLoad({ filter: /.*/, namespace: NAMESPACE }, ({ path }) => ({
      contents: `export {} from ${JSON.stringify(APP)}; export * from ${JSON.stringify(path)};`,
      resolveDir: dirname(path),
    }));
  },
};
