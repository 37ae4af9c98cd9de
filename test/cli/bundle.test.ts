/** What a bundle makes of code: names, packages and stacks are as they are in the sources. */

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { unzipSync } from "fflate";
import { afterAll, beforeAll, expect, test } from "vitest";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { startLambda, type Lambda } from "../support/lambda/lambda.ts";
import { runProgram } from "../support/program.ts";
import { cli, testProject, type TestProject } from "./cli.ts";

let project: TestProject;
let database: TestDatabase;
let lambda: Lambda;
let built: string;

/** CommonJS as a transpiler makes it, of which one file passes on the names of another, and one of Node's own kind. */
const packages = {
  "node_modules/transpiled/index.js": `"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
function __exportStar(m) { for (const p in m) if (p !== "default") exports[p] = m[p]; }
var __export = __exportStar;
__exportStar(require("./more.js"));
exports.default = "the default";
exports.shout = (text) => text.toUpperCase();
`,
  "node_modules/transpiled/more.js": `exports["more-of-it"] = "!";\nexports.class = "?";\n`,
  "node_modules/transpiled/package.json": { name: "transpiled", version: "1.0.0" },
  "node_modules/plain/index.cjs": `const half = (text) => text.slice(0, text.length / 2);\nmodule.exports = { half };\n`,
  "node_modules/plain/package.json": { name: "plain", version: "1.0.0", type: "module", main: "index.cjs" },
};

beforeAll(async () => {
  [project, database] = await Promise.all([testProject(), testDatabase()]);
  await project.write({
    ...packages,
    "package.json": { type: "module" },
    "langgraph.json": { graphs: { agent: "./src/agent.ts:graph" } },
    "src/one.ts": "export function agent() {}\nexport class Tool {}\nexport const ask = () => 1;\n",
    "src/two.ts": "export function agent() {}\nexport class Tool {}\nexport const ask = () => 2;\n",
    "src/agent.ts": `import { Annotation, START, StateGraph } from "@langchain/langgraph";
import * as one from "./one.ts";
import * as two from "./two.ts";

const State = Annotation.Root({ text: Annotation<string>() });
const texts: Record<string, () => Promise<unknown>> = {
  names: async () => [one, two].flatMap(({ agent, Tool, ask }) => [agent.name, Tool.name, ask.name]),
  packages: async () => {
    const { shout, default: whole, ...more } = await import("transpiled");
    const { half } = await import("plain");
    return [shout("a"), half("abcd"), more["more-of-it"], more.class, whole.default, "__esModule" in more];
  },
  stack: async () => {
    throw new RangeError("out of range");
  },
};

export const graph = new StateGraph(State)
  .addNode("node", async ({ text }) => ({ text: JSON.stringify(await texts[text]!()) }))
  .addEdge(START, "node")
  .compile();
`,
  });
  built = await buildIt();
  lambda = await startLambda({
    entry: join(project.path, "deploy/lambda.js"),
    handler: "http",
    env: { DATABASE_URL: database.url, FUNCTION_KEY: "key" },
  });
});
afterAll(async () => {
  for (const resource of [lambda, database, project]) await resource[Symbol.asyncDispose]();
});

async function buildIt(): Promise<string> {
  const { code, output } = await cli({ folder: project, args: ["build", "--target", "lambda", "--zip"] });
  expect(code, output).toBe(0);
  return output;
}

async function invoke(text: string): Promise<unknown> {
  const body = JSON.stringify({ input: { text } });
  const answer = await fetch(`${lambda.url}/api/graphs/agent/invoke?code=key`, { method: "POST", body });
  const { output }: { output?: { text: string } } = await answer.json();
  return output === undefined ? answer.status : JSON.parse(output.text);
}

test("functions and classes have the names of the sources, also where two modules use the same", async () => {
  const names = ["agent", "Tool", "ask"];
  expect(await invoke("names")).toEqual([...names, ...names]);
});

test("a CommonJS package that is imported when it is needed has its names, as in Node", async () => {
  expect(await invoke("packages")).toEqual(["A", "ab", "!", "?", "the default", true]);
});

test("a stack in the log tells files and lines of the sources", async () => {
  expect(await invoke("stack")).toBe(500);
  const line = lambda.output.find((line) => line.includes("out of range")) ?? "{}";
  expect(JSON.parse(line)).toMatchObject({
    err: {
      stack: expect.stringMatching(/^RangeError: out of range\n    at stack \(src\/agent\.ts:14:11\)\n/),
    },
  });
});

test("so does one that goes through code of no source, such as a bundler puts between", async () => {
  const stacks = fileURLToPath(new URL("../../dist/src/mapped-stacks.js", import.meta.url));
  const lines = [
    `import ${JSON.stringify(stacks)};`,
    "const fail = () => null.name;",
    "try { fail(); } catch (error) { console.log(error.stack); }",
  ];
  await project.write({
    "between.js": lines.join("\n"),
    // The second line is the first one of the source; of the third one there is nothing to tell.
    "between.js.map": { version: 3, sources: ["../source.ts"], names: [], mappings: ";AAAA;A;" },
  });
  const { output } = await runProgram({ folder: project, program: join(project.path, "between.js") });
  expect(output).toMatch(/^TypeError: .*\n    at fail \(source\.ts:1:1\)\n    at file:.*between\.js:3:7\n/);
});

test("a cold start reads few files, as each costs it time", async () => {
  const files = await readWithImports(join(project.path, "deploy/lambda.js"));
  expect(files.size).toBeLessThan(10);
  expect([...files.values()].join("").length).toBeLessThan(900_000); // LangGraph is as much again
});

/** A file and all that it imports at once. */
async function readWithImports(
  path: string,
  texts = new Map<string, string>(),
): Promise<Map<string, string>> {
  if (texts.has(path)) return texts;
  const text = await readFile(path, "utf8");
  texts.set(path, text);
  for (const [, imported = ""] of text.matchAll(/(?:from|import)"(\.\/[^"]+)"/g))
    await readWithImports(join(path, "..", imported), texts);
  return texts;
}

test("what is zipped is the folder, and the same file when nothing has changed", async () => {
  expect(built).toMatch(/zipped deploy\.zip: \d\.\d MB\n/);
  const zip = join(project.path, "deploy.zip");
  const hash = async () =>
    createHash("sha256")
      .update(await readFile(zip))
      .digest("hex");
  const before = await hash();
  await buildIt();
  expect(await hash()).toBe(before);
  const unzipped = Object.entries(unzipSync(await readFile(zip)));
  expect(unzipped.map(([name]) => name)).toContain("assets/swagger-ui.LICENSE.txt");
  for (const [name, content] of unzipped)
    expect(Buffer.from(content).equals(await readFile(join(project.path, "deploy", name))), name).toBe(true);
});

test("a zip that would lack packages is refused", async () => {
  const args = ["build", "--target", "lambda", "--zip", "--external", "plain"];
  const { code, output } = await cli({ folder: project, args });
  expect(code).toBe(2);
  expect(output).toContain("--zip would lack what is --external");
});
