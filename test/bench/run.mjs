/**
 * `npm run bench`: bundles the bench and its contenders as a deployment is bundled, from source, and runs it. The
 * bundles lie in dist/bench.
 */
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { BUNDLE } from "../../scripts/bundle.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const outdir = `${root}dist/bench`;
rmSync(outdir, { recursive: true, force: true });

const bundled = {
  ...BUNDLE,
  absWorkingDir: root,
  legalComments: "none",
  alias: {
    "langgraph-functions": `${root}src/index.ts`,
    "langgraph-functions/local": `${root}src/local/index.ts`,
  },
};
/** Each apart, so that no contender's chunks are another's. */
for (const program of ["ours", "bare", "langgraph-alone", "nothing"]) {
  await build({
    ...bundled,
    entryPoints: [`test/bench/programs/${program}.ts`],
    outdir: `${outdir}/${program}`,
  });
}
await build({
  ...bundled,
  entryPoints: ["test/bench/main.ts", "test/bench/programs/proxy.ts", "test/bench/programs/graphs.ts"],
  packages: "external",
  outdir,
  splitting: false,
});

const bench = spawn(process.execPath, [`${outdir}/main.js`, ...process.argv.slice(2)], { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => bench.kill(signal));
bench.once("exit", (code) => process.exit(code ?? 1));
