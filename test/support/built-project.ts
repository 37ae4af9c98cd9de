/** A project that the program has built, in a folder that has nothing else in it or above it. */

import { join } from "node:path";
import { cli, testProject } from "../cli/cli.ts";
import type { Target } from "./rehearsal/assemble.ts";
import { testFolder } from "./program.ts";

export interface BuiltProject extends AsyncDisposable {
  readonly folder: string;
  readonly entry: string;
}

/** Of `test/cli/projects`; or, without a name, as `init` makes it. @throws Error with what the program says when it fails */
export async function buildProject(target: Target, name?: string): Promise<BuiltProject> {
  await using project = await testProject(name);
  const deployment = await testFolder();
  const folder = join(deployment.path, "deploy");
  const commands = [
    ...(name === undefined ? [["init"]] : []),
    ["build", "--target", target, "--out", folder],
  ];
  for (const args of commands) {
    const { code, output } = await cli({ folder: project, args });
    if (code !== 0) throw new Error(output);
  }
  return {
    folder,
    entry: join(folder, `${target}.js`),
    [Symbol.asyncDispose]: async () => deployment[Symbol.asyncDispose](),
  };
}
