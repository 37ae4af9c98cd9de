/**
 * What `import()` of a CommonJS module gives in a bundle: its names, as in Node. Bundled in chunks, it would have the
 * whole as `default` and nothing else, so that `const { name } = await import("package")` is undefined.
 * @see https://github.com/evanw/esbuild/issues/3245
 */

import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { initSync, parse } from "cjs-module-lexer";
import type { Plugin, PluginBuild } from "esbuild";

const NAMESPACE = "named-commonjs";

/** Puts a module between that exports the names one by one, found by the lexer that Node itself uses. */
export const namedCommonJs: Plugin = {
  name: NAMESPACE,
  setup: (build) => {
    const shims = new Map<string, string>();
    build.onResolve({ filter: /.*/ }, async ({ path, kind, pluginData, ...from }) => {
      if (kind !== "dynamic-import" || pluginData === SEEN) return undefined;
      const { importer, namespace, resolveDir, with: attributes } = from;
      const asked = { kind, importer, namespace, resolveDir, with: attributes, pluginData: SEEN };
      const found = await build.resolve(path, asked);
      const isFile = found.namespace === "file" && !found.external && found.errors.length === 0;
      if (!isFile || !/\.c?js$/.test(found.path)) return undefined;
      const names = await namesOf(build, found.path);
      if (names.size === 0) return undefined;
      shims.set(found.path, shim(found.path, names));
      return { path: found.path, namespace: NAMESPACE, sideEffects: found.sideEffects };
    });
    build.onLoad({ filter: /.*/, namespace: NAMESPACE }, ({ path }) => ({
      contents: shims.get(path) ?? "",
      resolveDir: dirname(path),
    }));
  },
};

/** Marks a question of our own, which is not to be asked again. */
const SEEN = Symbol(NAMESPACE);

/** The names that a module has, with those of the modules that it passes on. None for one that is no CommonJS. */
async function namesOf(build: PluginBuild, file: string, seen = new Set<string>()): Promise<Set<string>> {
  if (seen.has(file) || !/\.c?js$/.test(file)) return new Set();
  seen.add(file);
  const lexed = lex(await readFile(file, "utf8"));
  const names = new Set(lexed.exports);
  for (const passedOn of lexed.reexports) {
    const found = await build.resolve(passedOn, { kind: "require-call", resolveDir: dirname(file) });
    if (found.namespace !== "file" || found.external) continue;
    for (const name of await namesOf(build, found.path, seen)) names.add(name);
  }
  return names;
}

const NOTHING = { exports: [], reexports: [] };

function lex(source: string): { readonly exports: readonly string[]; readonly reexports: readonly string[] } {
  try {
    initSync();
    return parse(source);
  } catch {
    return NOTHING; // the lexer refuses what is no CommonJS
  }
}

/** The default is the whole, as in Node, whatever a transpiler has noted in `__esModule`. */
function shim(path: string, names: ReadonlySet<string>): string {
  const named = [...names].filter((name) => name !== "default");
  return [
    `const whole = require(${JSON.stringify(path)});`,
    "export default whole;",
    ...named.map((name, index) => `const name${index} = whole[${JSON.stringify(name)}];`),
    `export { ${named.map((name, index) => `name${index} as ${JSON.stringify(name)}`).join(", ")} };`,
  ].join("\n");
}
