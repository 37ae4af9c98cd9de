/** The smoke test of a deployment that is there, and what it says of one that is not as it must be. */

import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  runProgram,
  startProgram,
  testFolder,
  type ServingProgram,
  type TestFolder,
} from "../support/program.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { checkVariables } from "../support/rehearsal/variables.ts";

const program = fileURLToPath(new URL("../../scripts/rehearse.mjs", import.meta.url));

let database: TestDatabase;
let folder: TestFolder;
let app: ServingProgram;

beforeAll(async () => {
  [database, folder] = await Promise.all([testDatabase(), testFolder()]);
  app = await startProgram({ folder, env: { DATABASE_URL: database.url, FUNCTION_KEY: "key" } });
});
afterAll(async () => {
  for (const resource of [app, folder, database]) await resource[Symbol.asyncDispose]();
});

const rehearse = async (...args: string[]) => runProgram({ folder, program, args });

test("a deployment of the example app passes every step, and nothing of it stays", async () => {
  const { code, output } = await rehearse("--url", `${app.url}/`, "--key", "key");
  expect(code, output).toBe(0);
  expect(output).not.toContain("FAIL");
  expect(output).toMatch(/ok {3}a run in the background, joined +\d+ ms\n/);
  expect(output).toMatch(/ok {3}the status of all that it needs +\d+ ms {3}ok\n/);
  expect(output).toMatch(/The deployment: all is well, in \d+\.\d s\.\n$/);
  for (const table of ["threads", "runs", "crons"])
    expect(await database.query(`select * from langgraph.${table}`)).toEqual([]);
});

test("what fails is named with its reason, and the exit code is 1", async () => {
  const { code, output } = await rehearse("--url", app.url, "--key", "wrong");
  expect(code).toBe(1);
  expect(output).toMatch(/FAIL assistants +\d+ ms {3}.*401/);
  expect(output).toMatch(/The deployment: \d+ step\(s\) FAILED/);
});

test.for([
  [["--target", "gcp"], "--target must be one of azure, lambda, not gcp."],
  [["--url", "here"], "--url here is no URL."],
  [["--key", "key"], "--key belongs to --url."],
  [["--prot"], "Unknown option '--prot'"],
] as const)("a command line that is wrong ends with 2: %j", async ([args, message]) => {
  const { code, output } = await rehearse(...args);
  expect(code).toBe(2);
  expect(output).toContain(message);
});

test.for([
  ["azure", "infra/azure/modules/app.bicep", "{ name: 'DATABASE_URL', value: databaseUrl }"],
  ["lambda", "infra/aws/functions.tf", "  DATABASE_URL = var.database_url"],
] as const)("a variable that the infrastructure does not set is named: %s", async ([target, file, text]) => {
  await using root = await testFolder();
  await mkdir(dirname(join(root.path, file)), { recursive: true });
  await writeFile(join(root.path, file), `${text}\n`);
  await checkVariables(target, ["DATABASE_URL"], root.path);
  const forgotten = checkVariables(target, ["DATABASE_URL", "FORGOTTEN"], root.path);
  await expect(forgotten).rejects.toThrow(/ does not set FORGOTTEN, /);
});
