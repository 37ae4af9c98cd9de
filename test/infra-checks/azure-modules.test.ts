/** That the Bicep files fit together, as far as their syntax trees tell. */

import { readdir } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { entryOf, find } from "../support/bicep/look.ts";
import { parseBicep, readBicep, type Value } from "../support/bicep/read.ts";

const FOLDER = "infra/azure";
const files = await readBicep(FOLDER);
const sources = new Map(files.map(({ file, source }) => [file, source]));

/** Of a module, its file. */
const fileOf = (module: string) => find(files, module.replace(/^.*\//, ""));

function namesIn(value: Value | undefined): readonly string[] {
  return value?.kind === "object" ? value.entries.map(({ name }) => name) : [];
}

const modules = files.flatMap((file) => file.modules.map((module) => ({ file, module })));

test("each file is Bicep", () => {
  expect(files.map(({ file }) => file)).toContain("infra/azure/main.bicep");
  expect(
    files.filter(({ fault }) => fault !== undefined).map(({ file, fault }) => `${file}:${fault}`),
  ).toEqual([]);
});

test("what is not Bicep is told by its line", async () => {
  const broken = await parseBicep(
    "broken.bicep",
    "param name string\n\nresource storage 'A/b@2020' = {\n  name: \n}}\n",
  );
  expect(broken.fault).toBeGreaterThan(2);
});

test("each module is in use", async () => {
  const used = new Set(modules.map(({ module }) => fileOf(module.type).file));
  const there = (await readdir(`${FOLDER}/modules`)).map((name) => `${FOLDER}/modules/${name}`);
  expect(there.filter((file) => !used.has(file))).toEqual([]);
});

describe.each(modules.map(({ file, module }) => [`${module.symbol} of ${file.file}`, module] as const))(
  "module %s",
  (_, module) => {
    const { parameters } = fileOf(module.type);
    const given = namesIn(entryOf(module.body, "params"));

    test("is given each parameter that it has, and no other", () => {
      const needed = [...parameters.values()].filter(({ fallback }) => fallback === undefined);
      expect(given.filter((name) => !parameters.has(name))).toEqual([]);
      expect(needed.map(({ name }) => name).filter((name) => !given.includes(name))).toEqual([]);
    });
  },
);

describe.each(files.map((file) => [file.file, file] as const))("%s", (name, file) => {
  const source = sources.get(name) ?? "";
  const uses = (symbol: string) => source.match(new RegExp(`\\b${symbol}\\b`, "g"))?.length ?? 0;

  test("has no parameter and no variable that it does not use", () => {
    const symbols = [...file.parameters.keys(), ...file.variables.keys()];
    const prose = [...file.parameters.values()].map(({ decorators }) =>
      JSON.stringify(decorators.get("description")),
    );
    const inProse = (symbol: string) =>
      prose.join(" ").match(new RegExp(`\\b${symbol}\\b`, "g"))?.length ?? 0;
    expect(symbols.filter((symbol) => uses(symbol) - inProse(symbol) < 2)).toEqual([]);
  });

  test("asks modules for nothing but their outputs", () => {
    const asked = [...source.matchAll(/\b(\w+)!?\.outputs\.(\w+)/g)];
    const missing = asked.filter(([, symbol, output]) => {
      const module = file.modules.find((one) => one.symbol === symbol);
      return module === undefined || !fileOf(module.type).outputs.has(String(output));
    });
    expect(missing.map(([text]) => text)).toEqual([]);
  });
});

describe("a parameter of main.bicep", () => {
  const { parameters } = fileOf("main.bicep");
  const optional = [...parameters.values()].filter(({ fallback }) => fallback !== undefined);

  test("has a default, but for the name and the region", () => {
    expect([...parameters.keys()].filter((name) => parameters.get(name)?.fallback === undefined)).toEqual([
      "environmentName",
      "location",
    ]);
  });

  test("is described", () => {
    const bare = [...parameters.values()].filter(({ decorators }) => !decorators.has("description"));
    expect(bare.map(({ name }) => name)).toEqual([]);
  });

  test("that is a secret is marked as one, and its default is none", () => {
    const secrets = optional.filter(({ decorators }) => decorators.has("secure"));
    expect(secrets.map(({ name }) => name)).toEqual(["databaseUrl"]);
    for (const { fallback } of secrets) expect(fallback).toMatchObject({ kind: "string", text: "" });
  });
});

describe("there is no way in with a key or a password:", () => {
  test.each([
    ["storage.bicep", "allowSharedKeyAccess: false"],
    ["storage.bicep", "allowBlobPublicAccess: false"],
    ["storage.bicep", "properties: { publicAccess: 'None' }"],
    ["postgres.bicep", "passwordAuth: 'Disabled'"],
    ["monitoring.bicep", "DisableLocalAuth: true"],
    ["monitoring.bicep", "features: { disableLocalAuth: true }"],
    ["vault.bicep", "enableRbacAuthorization: true"],
    ["app.bicep", "httpsOnly: true"],
  ])("%s has %s", (name, line) => {
    const { source } = find(files, name);
    expect(source.split("\n").map((one) => one.trim())).toContain(line);
  });

  test("nothing asks for the keys of anything", () => {
    expect(files.filter(({ source }) => /\blist(Keys|Secrets|\w*Sas)\b|\.listKeys/.test(source))).toEqual([]);
  });
});
