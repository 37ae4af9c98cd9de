/** The smoke test of a deployment that is there, and what it says of one that is not as it must be. */

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
import { azureVariables, lambdaVariables } from "../support/rehearsal/variables.ts";
import { readAzureSettings } from "../../src/host-settings.ts";
import { readSettings } from "../../src/settings.ts";

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

test("on Azure, the functions are told what infra/azure tells them with a database of one's own", async () => {
  const url = "postgres://ada:secret@db.example/agents";
  const environment = await azureVariables(url, "UseDevelopmentStorage=true");
  expect(environment).toMatchObject({
    DATABASE_URL: url,
    DATABASE_AUTH: "password",
    DATABASE_POOL_SIZE: "4",
    RUN_QUEUE: "langgraph-runs",
  });
  expect(readSettings(environment).database).toMatchObject({ url, migrate: true });
  expect(readAzureSettings(environment).storage).toEqual({ connectionString: "UseDevelopmentStorage=true" });
});

test("on Lambda, they are told what infra/aws tells them, and have the time that it gives each", async () => {
  const given = {
    DATABASE_URL: "postgres://ada:secret@db.example/agents",
    RUN_QUEUE_URL: "https://sqs.example/1/runs",
  };
  const { environment, timeoutMs } = await lambdaVariables(given);
  expect(environment).toEqual({
    ...given,
    DATABASE_AUTH: "password",
    DATABASE_POOL_SIZE: "4",
    DATABASE_MIGRATE: "true",
    LOG_LEVEL: "info",
    RUN_LEASE_SECONDS: "30",
    EVENT_RETENTION_HOURS: "24",
    SIGN_OF_LIFE_SECONDS: "60",
  });
  expect(timeoutMs).toEqual({ http: 300_000, worker: 900_000, schedule: 60_000 });
  await expect(lambdaVariables({ FORGOTTEN: "1" })).rejects.toThrow("infra/aws does not set FORGOTTEN");
});
