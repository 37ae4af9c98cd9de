/**
 * What tools say of infra/azure without a cloud. Types of resources come from Microsoft: those of Bicep itself, and, for
 * services whose types that program leaves out, those of the packages for Python.
 */

import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { faultsOf, type Shape } from "../support/bicep/check.ts";
import { type BicepFile, parseBicep, readBicep } from "../support/bicep/read.ts";
import { bicepTypes } from "../support/bicep/types.ts";
import { scan, type Scan } from "../support/checkov.ts";
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
    [
      "a misspelt property far within",
      "modules/app.bicep",
      "instanceMemoryMB: instance",
      "instanceMemoryMb: instance",
    ],
    ["a value that is none of those there are", "modules/storage.bicep", "'Standard_LRS'", "'Standard_LSR'"],
    [
      "of one that a condition chooses too",
      "modules/storage.bicep",
      "'Disabled' : 'Enabled'",
      "'Off' : 'Enabled'",
    ],
    ["a version that there is not", "modules/app.bicep", "serverfarms@2024-11-01", "serverfarms@2024-11-31"],
    ["a type that there is not", "modules/vault.bicep", "KeyVault/vaults@", "KeyVault/vault@"],
    [
      "text for a number",
      "modules/monitoring.bicep",
      "retentionInDays: retentionDays",
      "retentionInDays: '30'",
    ],
    [
      "a parameter of another type",
      "modules/app.bicep",
      "param instanceMemoryMB int",
      "param instanceMemoryMB string",
    ],
    ["what must be there and is not", "modules/storage.bicep", "kind: 'StorageV2'", ""],
    [
      "what only Azure may say",
      "modules/identity.bicep",
      "tags: tags\n}",
      "tags: tags\n  properties: { clientId: 'x' }\n}",
    ],
    [
      "what a resource is asked for and has not",
      "modules/storage.bicep",
      "primaryEndpoints.queue",
      "primaryEndpoints.queues",
    ],
    ["in Postgres", "modules/postgres.bicep", "passwordAuth: 'Disabled'", "passwordAuth: 'Off'"],
    ["in an alert", "modules/alerts.bicep", "metricMeasureColumn: ", "metricMeasuredColumn: "],
    [
      "in a name in private DNS",
      "modules/network.bicep",
      "registrationEnabled: false",
      "registrationEnabled: 'no'",
    ],
  ])("%s", async (_, name, from, to) => {
    expect(await seeded(name, from, to)).toHaveLength(1);
  });
});

describe("checkov", () => {
  let found: Scan;

  /** In one go, as most of its time is its start: our files, and beside them one that is less safe. */
  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), "langgraph-functions-bicep-"));
    await cp(FOLDER, folder, { recursive: true });
    await mkdir(join(folder, "seeded"));
    const source = await readFile(join(FOLDER, "modules/storage.bicep"), "utf8");
    const open = source
      .replace("'TLS1_2'", "'TLS1_0'")
      .replace("supportsHttpsTrafficOnly: true", "supportsHttpsTrafficOnly: false");
    await writeFile(join(folder, "seeded/storage.bicep"), open);
    found = await scan(relative(process.cwd(), folder), "bicep");
    await rm(folder, { recursive: true });
  }, 600_000);

  const isSeeded = ({ file }: { readonly file: string }) => file.startsWith("/seeded/");

  test("finds nothing but what is set aside where it is, each with its reason", () => {
    expect(found.failed.filter((one) => !isSeeded(one))).toEqual([]);
    expect(found.passed.filter((one) => !isSeeded(one)).length).toBeGreaterThan(20);
    const asides = files.flatMap(({ file, source }) =>
      [...source.matchAll(/checkov:skip=(\w+):?(.*)/g)].map(([, id, reason = ""]) => {
        expect(reason).toMatch(/\w+ \w+/);
        return `${file.replace(FOLDER, "")} ${id}`;
      }),
    );
    const skipped = found.skipped.filter((one) => !isSeeded(one)).map(({ file, id }) => `${file} ${id}`);
    expect(skipped.sort()).toEqual(asides.sort());
  });

  test("finds what is less safe than it was", () => {
    expect(
      found.failed
        .filter(isSeeded)
        .map(({ id }) => id)
        .sort(),
    ).toEqual(["CKV_AZURE_3", "CKV_AZURE_44"]);
  });
});
