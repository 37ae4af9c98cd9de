/**
 * Builds the library (dist/src) and bundles the example app's entries (dist/functions). The bundle needs no
 * node_modules beside it: cold starts count, and a bundle loads several times faster.
 */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { build } from "esbuild";
import { BUNDLE } from "./bundle.mjs";
import { copyDocsAssets } from "./copy-docs-assets.mjs";

rmSync("dist", { recursive: true, force: true });
const tsc = spawnSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], {
  stdio: "inherit",
});
if (tsc.status !== 0) process.exit(1); // it has said why
for (const folder of ["src/http/assets", "dist/src/http/assets", "dist/functions/assets"])
  await copyDocsAssets(folder);

await build({
  ...BUNDLE,
  entryPoints: ["functions/azure.ts", "functions/lambda.ts", "functions/local.ts"],
  outdir: "dist/functions",
});
