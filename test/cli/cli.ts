/** The built program `langgraph-functions`, on projects in folders of their own. */

import { cp, mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import {
  launch,
  runProgram,
  startProgram,
  testFolder,
  type Program,
  type ProgramOptions,
  type ServingProgram,
  type TestFolder,
} from "../support/program.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const program = join(root, "dist/src/cli/main.js");

/** As a package that is installed: a link to this folder beside links to all that it needs. */
async function install(folder: string): Promise<void> {
  const packages = join(root, "node_modules");
  await mkdir(join(folder, "node_modules"));
  const names = (await readdir(packages)).filter((name) => !name.startsWith("."));
  await Promise.all(
    names.map(async (name) => symlink(join(packages, name), join(folder, "node_modules", name))),
  );
  await symlink(root, join(folder, "node_modules/langgraph-functions"));
}

/** A copy of a project that one may change. */
export interface TestProject extends TestFolder {
  readonly write: (files: Readonly<Record<string, string | object>>) => Promise<void>;
}

/** Of `test/cli/projects`, or none. */
export async function testProject(name?: string): Promise<TestProject> {
  const folder = await testFolder();
  if (name !== undefined)
    await cp(join(import.meta.dirname, "projects", name), folder.path, { recursive: true });
  await install(folder.path);
  return {
    ...folder,
    write: async (files) => {
      for (const [file, content] of Object.entries(files)) {
        await mkdir(dirname(join(folder.path, file)), { recursive: true });
        const text = typeof content === "string" ? content : JSON.stringify(content);
        await writeFile(join(folder.path, file), text);
      }
    },
  };
}

type CliOptions = Omit<ProgramOptions, "program">;

/** Runs a command to its end. */
export async function cli(options: CliOptions): Promise<{ code: number | null; output: string }> {
  return runProgram({ ...options, program });
}

export function launchDev(options: CliOptions): Program {
  return launch({ ...options, program, args: ["dev", ...(options.args ?? [])] });
}

/** Starts `dev` and waits until it serves. */
export async function startDev(options: CliOptions): Promise<ServingProgram> {
  return startProgram({ ...options, program, args: ["dev", ...(options.args ?? [])] });
}

/** Resolves when the program has printed the text. */
export async function printed({ output }: Program, text: string | RegExp): Promise<void> {
  await expect.poll(output, { timeout: 30_000 }).toMatch(text);
}

/** The source of a graph with the state `{ text }` and one node. */
export function graphSource(node: string): string {
  return `import { Annotation, START, StateGraph } from "@langchain/langgraph";
import { access } from "node:fs/promises";

const State = Annotation.Root({ text: Annotation<string>() });

export const graph = new StateGraph(State)
  .addNode("node", ${node})
  .addEdge(START, "node")
  .compile();

export const there = async (path: string): Promise<boolean> => access(path).then(() => true, () => false);
`;
}
