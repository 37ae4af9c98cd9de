/** Bundles an entry as every deployment is bundled, so that a host's process can run it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { build } from "esbuild";
import { BUNDLE } from "../../src/cli/bundle.ts";

export interface BuiltApp extends AsyncDisposable {
  readonly entry: string;
}

export interface BuildOptions {
  /** Packages that the deployment lacks. */
  readonly missing?: readonly string[];
}

export async function buildApp(source: string, { missing = [] }: BuildOptions = {}): Promise<BuiltApp> {
  const folder = await mkdtemp(path.join(tmpdir(), "built-app-"));
  await build({
    ...BUNDLE,
    entryPoints: [{ in: source, out: "app" }],
    outdir: folder,
    outExtension: { ".js": ".mjs" }, // there is no package.json beside it
    external: [...BUNDLE.external, ...missing],
    logLevel: "silent",
  });
  return {
    entry: path.join(folder, "app.mjs"),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}
