/**
 * What tools say of infra/azure without a cloud. Types of resources come from Microsoft: those of Bicep itself, and, for
 * services whose types that program leaves out, those of the packages for Python.
 */

import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { faultsOf, type Shape } from "../support/bicep/check.ts";
import { type BicepFile, parseBicep, readBicep } from "../support/bicep/read.ts";
import { bicepTypes } from "../support/bicep/types.ts";
import { installPackages } from "../support/python.ts";

const run = promisify(execFile);
const FOLDER = "infra/azure";

let programs: string;
let files: readonly BicepFile[];
let shapes: ReadonlyMap<string, Shape>;

beforeAll(async () => {
  programs = await installPackages(join(import.meta.dirname, "requirements-azure.txt"));
  files = await readBicep(FOLDER);
  const ofPython = await pythonTypes();
  const types = new Set(files.flatMap(({ resources }) => resources.map(({ type }) => type)));
  const rest = [...types].filter((type) => !ofPython.has(type)).map((type) => type.replace(/@.*/, ""));
  shapes = new Map([...ofPython, ...(await bicepTypes(rest))]);
}, 300_000);

async function pythonTypes(): Promise<ReadonlyMap<string, Shape>> {
  const script = join(import.meta.dirname, "azure-types.py");
  const { stdout } = await run(join(programs, "python"), [script], { maxBuffer: 16 * 1024 * 1024 });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own script wrote it
  return new Map(Object.entries(JSON.parse(stdout) as Record<string, Shape>));
}

test("each resource is of a type and version that Azure has, and gives it what it takes", () => {
  expect(files.length).toBeGreaterThan(8);
  expect(files.flatMap((file) => faultsOf(file, shapes))).toEqual([]);
});

/** A file with one word changed. */
async function seeded(name: string, from: string, to: string): Promise<readonly string[]> {
  const source = await readFile(join(FOLDER, name), "utf8");
  expect(source.split(from).length, `how often ${from} is in ${name}`).toBe(2);
  return faultsOf(await parseBicep(name, source.replace(from, to)), shapes);
}

describe("a mistake is found:", () => {
  test.each([
    ["a misspelt property", "modules/storage.bicep", "allowSharedKeyAccess", "allowSharedKeysAccess"],
    ["a misspelt property far within", "modules/app.bicep", "instanceMemoryMB: instance", "instanceMemoryMb: instance"],
    ["a value that is none of those there are", "modules/storage.bicep", "'Standard_LRS'", "'Standard_LSR'"],
    ["of one that a condition chooses too", "modules/storage.bicep", "'Disabled' : 'Enabled'", "'Off' : 'Enabled'"],
    ["a version that there is not", "modules/app.bicep", "serverfarms@2024-11-01", "serverfarms@2024-11-31"],
    ["a type that there is not", "modules/vault.bicep", "KeyVault/vaults@", "KeyVault/vault@"],
    ["text for a number", "modules/monitoring.bicep", "retentionInDays: retentionDays", "retentionInDays: '30'"],
    ["a parameter of another type", "modules/app.bicep", "param instanceMemoryMB int", "param instanceMemoryMB string"],
    ["what must be there and is not", "modules/storage.bicep", "kind: 'StorageV2'", ""],
    ["what only Azure may say", "modules/identity.bicep", "tags: tags\n}", "tags: tags\n  properties: { clientId: 'x' }\n}"],
    ["in Postgres", "modules/postgres.bicep", "passwordAuth: 'Disabled'", "passwordAuth: 'Off'"],
    ["in an alert", "modules/alerts.bicep", "metricMeasureColumn: ", "metricMeasuredColumn: "],
    ["in a name in private DNS", "modules/network.bicep", "registrationEnabled: false", "registrationEnabled: 'no'"],
  ])("%s", async (_, name, from, to) => {
    expect(await seeded(name, from, to)).toHaveLength(1);
  });
});

const Report = z.object({
  results: z.object({
    failed_checks: z.array(z.object({ check_id: z.string(), resource: z.string() })),
    skipped_checks: z.array(
      z.object({ check_id: z.string(), check_result: z.object({ suppress_comment: z.string() }) }),
    ),
    parsing_errors: z.array(z.string()),
  }),
  summary: z.object({ passed: z.number(), resource_count: z.number() }),
});

async function checkov(folder: string) {
  const program = join(programs, "checkov");
  const options = ["--framework", "bicep", "--skip-download", "--soft-fail", "--output", "json", "--directory"];
  const { stdout } = await run(program, [...options, folder], { maxBuffer: 16 * 1024 * 1024 });
  return Report.parse(JSON.parse(stdout));
}

test("checkov finds nothing but what is set aside, each with its reason", async () => {
  const { results, summary } = await checkov(FOLDER);
  expect(results.parsing_errors).toEqual([]);
  expect(results.failed_checks.map(({ check_id, resource }) => `${check_id} ${resource}`)).toEqual([]);
  expect(summary.passed).toBeGreaterThan(20);
  for (const { check_result } of results.skipped_checks) expect(check_result.suppress_comment).toMatch(/\w+ \w+/);
});
