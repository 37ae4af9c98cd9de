/** The bundle settings that every deployment has (src/cli/bundle.ts), for scripts that run before anything is built. */
import { readFile } from "node:fs/promises";
import { transform } from "esbuild";

const source = await readFile(new URL("../src/cli/bundle.ts", import.meta.url), "utf8");
const { code } = await transform(source, { loader: "ts", format: "esm" });
export const { BUNDLE } = await import(`data:text/javascript,${encodeURIComponent(code)}`);
