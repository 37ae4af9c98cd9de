import { execFile } from "node:child_process";
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startAzureHost } from "../support/azure-host/host.ts";
import { testDatabase } from "../support/database.ts";
import { clientOf } from "../support/sdk.ts";
import { cli, printed, startDev, testProject, type TestProject } from "./cli.ts";

/** A project as `init` makes it. */
let project: TestProject;
let made: string;

beforeAll(async () => {
  project = await testProject();
  const { code, output } = await cli({ folder: project, args: ["init"] });
  expect(code, output).toBe(0);
  made = output;
});
afterAll(async () => project[Symbol.asyncDispose]());

const input = { messages: [{ role: "user", content: "I am Ada." }] };

test("a new project has what it needs, and passes its own check", async () => {
  for (const file of ["functions/app.ts", "host.json", "package.json", "README.md", ".gitignore"]) {
    expect(made).toContain(`made ${file}\n`);
    await access(join(project.path, file));
  }
  const tsc = join(project.path, "node_modules/typescript/bin/tsc");
  await promisify(execFile)(process.execPath, [tsc, "--noEmit"], { cwd: project.path });
});

test("its host.json and example settings are those of this repository", async () => {
  for (const file of ["host.json", "local.settings.example.json"]) {
    const ours: unknown = JSON.parse(await readFile(new URL(`../../${file}`, import.meta.url), "utf8"));
    expect(JSON.parse(await readFile(join(project.path, file), "utf8"))).toEqual(ours);
  }
});

test("it is served, and again when its app changes", async () => {
  await using program = await startDev({ folder: project });
  expect(program.output()).toContain(`embedded Postgres in `);
  const { thread_id } = await clientOf(program).threads.create();
  const run = async () => clientOf(program).runs.wait(thread_id, "greeter", { input });
  await run();
  const app = join(project.path, "functions/app.ts");
  const text = await readFile(app, "utf8");
  await project.write({ "functions/app.ts": text.replace("Greets, and remembers", "Greets. Remembers") });
  await printed(program, "Serving again");
  expect(await run()).toMatchObject({
    messages: [{}, {}, {}, { content: "Hello! You have said 2 thing(s)." }],
  });
  const { graphs }: { graphs: unknown } = await (await fetch(`${program.url}/health`)).json();
  expect(graphs).toMatchObject([{ description: "Greets. Remembers how often" }]);
});

test("it is built for Azure, and the folder works without its packages", async () => {
  await using database = await testDatabase();
  const { code, output } = await cli({ folder: project, args: ["build", "--target", "azure"] });
  expect(code, output).toBe(0);
  expect(output).toMatch(
    /built deploy for azure: \d\.\d MB \(\d\.\d MB zipped\), and \d+\.\d MB \(\d+\.\d MB zipped\) of source maps\n/,
  );
  const entry = join(project.path, "deploy/azure.js");
  const manifest: unknown = JSON.parse(await readFile(join(project.path, "deploy/package.json"), "utf8"));
  expect(manifest).toMatchObject({ type: "module", main: "azure.js" });
  expect(await readFile(join(project.path, "deploy/host.json"), "utf8")).toContain('"routePrefix": "api"');

  await using host = await startAzureHost({ entry, env: { DATABASE_URL: database.url }, keys: false });
  const answer = await fetch(`${host.url}/graphs/greeter/invoke`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ input }),
  });
  expect(await answer.json()).toMatchObject({
    output: { messages: [{}, { content: expect.stringMatching(/^Hello!/) }] },
  });
  expect((await fetch(`${host.url}/docs`)).status).toBe(200);

  const again = await cli({ folder: project, args: ["build", "--target", "azure"] });
  expect(again.code, again.output).toBe(0);
});

test("nothing that is there is written over", async () => {
  expect(await cli({ folder: project, args: ["init"] })).toMatchObject({
    code: 1,
    output: expect.stringMatching(/has these files already: package\.json, .*functions\/app\.ts/),
  });
  const build = await cli({ folder: project, args: ["build", "--target", "azure", "--out", "functions"] });
  expect(build).toMatchObject({
    code: 1,
    output: expect.stringContaining("functions has files that are no earlier build"),
  });
});

test("an --out that is a file, or whose package.json cannot be read as one, stays as it is", async () => {
  const build = async (out: string) =>
    cli({ folder: project, args: ["build", "--target", "azure", "--out", out] });
  await project.write({ notes: "mine", "theirs/package.json": "{ not json" });
  expect(await build("notes")).toMatchObject({
    code: 1,
    output: expect.stringContaining("notes cannot be read as a folder. Name another --out."),
  });
  expect(await readFile(join(project.path, "notes"), "utf8")).toBe("mine");
  expect(await build("theirs")).toMatchObject({
    code: 1,
    output: expect.stringContaining("theirs has files that are no earlier build"),
  });
  expect(await readFile(join(project.path, "theirs/package.json"), "utf8")).toBe("{ not json");
});

test("what cannot be bundled is named with file and line, and the packages to install", async () => {
  await using broken = await testProject();
  await broken.write({
    "package.json": { type: "module" },
    "langgraph.json": { graphs: { one: "./src/one.ts:graph" } },
    "src/one.ts": `import { x } from "@not/there/x";\nexport const graph = x;\n`,
  });
  const { code, output } = await cli({ folder: broken, args: ["build", "--target", "lambda"] });
  expect(code).toBe(1);
  expect(output).toContain(`src/one.ts:1:19: Could not resolve "@not/there/x"`);
  expect(output).toContain("npm install @not/there\n");
});
