/** The folder of a deployment, exactly as it would be uploaded, where nothing else can be found. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readFile, realpath, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { unzipSync } from "fflate";

export const TARGETS = ["azure", "lambda"] as const;
export type Target = (typeof TARGETS)[number];

/** The repository. */
export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

export interface Assembled {
  readonly folder: string;
  readonly entry: string;
  /** What the build says of it. */
  readonly size: string;
}

/**
 * Builds the example app as a user does, and unpacks the zip that is uploaded.
 * @throws Error when that fails, or when a `node_modules` could be found from there
 */
export async function assemble(target: Target, parent: string): Promise<Assembled> {
  const built = join(parent, `${target}-build`);
  const cli = join(ROOT, "dist/src/cli/main.js");
  const output = await run([cli, "build", "--target", target, "--zip", "--out", built]);
  const folder = join(await realpath(parent), target);
  for (const [name, content] of Object.entries(unzipSync(await readFile(`${built}.zip`)))) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  for (let above = folder; ; above = dirname(above)) {
    const packages = join(above, "node_modules");
    if (existsSync(packages)) throw new Error(`The deployment would find ${packages}: set TMPDIR elsewhere`);
    if (above === dirname(above)) break;
  }
  const size = /zipped .*?\.zip: (.*)/.exec(output)?.[1] ?? "";
  return { folder, entry: join(folder, `${target}.js`), size };
}

/** Runs one of our programs in the repository. @throws Error with its output when it fails */
export async function run(args: readonly string[]): Promise<string> {
  const { PATH } = process.env;
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env: { PATH },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  const [code]: (number | null)[] = await once(child, "close");
  if (code !== 0) throw new Error(output.trim());
  return output;
}
