/** Bundles an entry as a deployment does, so that a host's process can run it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { build } from "esbuild";

export interface BuiltApp extends AsyncDisposable {
  readonly entry: string;
}

export interface BuildOptions {
  /** Packages that the deployment lacks. */
  readonly missing?: readonly string[];
}

export async function buildApp(source: string, { missing = [] }: BuildOptions = {}): Promise<BuiltApp> {
  const folder = await mkdtemp(path.join(tmpdir(), "built-app-"));
  const entry = path.join(folder, "app.mjs");
  await build({
    entryPoints: [source],
    outfile: entry,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    external: ["@azure/functions-core", ...missing], // the Functions worker brings that one,
    banner: {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    },
    logLevel: "silent",
  });
  return { entry, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}
