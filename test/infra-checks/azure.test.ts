/** That infra/azure, host.json, azure.yaml and the documentation say what the code says. */

import { access, readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { AzureEnvironment, readAzureSettings } from "../../src/host-settings.ts";
import { Environment } from "../../src/settings.ts";
import { hostJson } from "../../src/cli/host-json.ts";
import { entryOf, find, listOf, textOf } from "../support/bicep/look.ts";
import { readBicep, type Value } from "../support/bicep/read.ts";

const files = await readBicep("infra/azure");
const main = find(files, "main.bicep");
const app = find(files, "app.bicep");
const text = (path: string) => readFile(path, "utf8");

const HostJson = z.object({
  functionTimeout: z.string(),
  extensions: z.object({
    http: z.object({ routePrefix: z.string() }),
    queues: z.object({
      batchSize: z.number(),
      newBatchThreshold: z.number(),
      visibilityTimeout: z.string(),
      maxPollingInterval: z.string(),
      maxDequeueCount: z.number(),
      messageEncoding: z.string(),
    }),
  }),
});
const host = HostJson.parse(JSON.parse(await text("host.json")));
const { queues, http } = host.extensions;

/** What app.bicep sets, by name. */
const settings = new Map(
  ["settings", "withConfig", "withPublicUrl"]
    .flatMap((variable) => listOf(app.variables.get(variable)))
    .map((setting) => [textOf(entryOf(setting, "name")), entryOf(setting, "value")] as const),
);

/** The parameter of main.bicep that a setting's value is made of. */
function parameterOf(setting: string) {
  const value = settings.get(setting);
  const name = value === undefined ? undefined : nameIn(value);
  const module = main.modules.find(({ symbol }) => symbol === "app");
  const given = module && name ? entryOf(entryOf(module.body, "params"), name) : undefined;
  const parameter = given && nameIn(given);
  return parameter === undefined ? undefined : main.parameters.get(parameter);
}

function nameIn(value: Value): string | undefined {
  if (value.kind === "name") return value.name;
  if (value.kind === "either") return nameIn(value.condition);
  return value.kind === "call" ? value.parts.map(nameIn).find((name) => name !== undefined) : undefined;
}

/** As the environment would say it. */
function asText(value: Value | undefined): string | undefined {
  if (value?.kind === "string") return value.text === "" ? undefined : value.text;
  if (value?.kind === "number") return String(value.number);
  return value?.kind === "boolean" ? String(value.boolean) : undefined;
}

function asSetting(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

const read = { ...Environment.shape, ...AzureEnvironment.shape };

describe("the settings of the function app", () => {
  /** What the code reads and the Bicep leaves out, or gives by name: keyVaultSettings. */
  const SECRETS = ["ENCRYPTION_KEYS", "WEBHOOK_SECRETS", "RESUME_LINK_SECRETS"];
  const OTHER_WAYS = ["AzureWebJobsStorage", "AzureWebJobsStorage__accountName"];
  /** What the host reads. */
  const OF_AZURE = [
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "AzureWebJobsStorage__blobServiceUri",
    "AzureWebJobsStorage__credential",
  ];
  const [set, known] = [[...settings.keys()], Object.keys(read)];

  test("are all that the code reads", () => {
    expect(known.filter((name) => !set.includes(name)).sort()).toEqual([...SECRETS, ...OTHER_WAYS].sort());
  });

  test("are none that nobody reads", () => {
    expect(set.filter((name) => !known.includes(name)).sort()).toEqual(OF_AZURE);
  });

  test("are none that Flex Consumption refuses", () => {
    expect(set.filter((name) => /^(FUNCTIONS_|WEBSITE_|SCM_|ENABLE_ORYX)/.test(name))).toEqual([]);
  });

  test("that are secrets are named where one reads how to put them into the Key Vault", async () => {
    const description = textOf(main.parameters.get("keyVaultSettings")?.decorators.get("description"));
    const guide = await text("infra/azure/README.md");
    for (const secret of SECRETS)
      expect([description, guide]).toEqual(Array(2).fill(expect.stringContaining(secret)));
  });

  const given = known.filter((name) => parameterOf(name) !== undefined);

  test("come from parameters", () => {
    expect(given.length).toBeGreaterThan(10);
  });

  test.each(given)("%s is by default what it is in the code", (name) => {
    const parameter = parameterOf(name);
    const schema = Object.entries(read).find(([key]) => key === name)?.[1];
    const byCode: unknown = schema?.safeParse(undefined).data;
    expect(asText(parameter?.fallback)).toBe(byCode === undefined ? undefined : asSetting(byCode));
  });

  test.each(given)("%s may be no more than the code takes", (name) => {
    const { decorators } = parameterOf(name) ?? {};
    const schema = Object.entries(read).find(([key]) => key === name)?.[1];
    const accepts = (value: Value | undefined) =>
      value === undefined || schema?.safeParse(asText(value)).success === true;
    expect([decorators?.get("minValue"), decorators?.get("maxValue")].every(accepts)).toBe(true);
    expect(listOf(decorators?.get("allowed")).every(accepts)).toBe(true);
  });
});

describe("queues", () => {
  const storage = find(files, "storage.bicep");
  const made = storage.resources
    .filter(({ type }) => type.includes("/queues@"))
    .map(({ body }) => entryOf(body, "name"));

  test("are made: the one that the code names, and the one where the host puts what failed", () => {
    expect(made).toMatchObject([{ name: "runQueue" }, { text: "${runQueue}-poison" }]);
    expect(textOf(main.parameters.get("runQueue")?.fallback)).toBe(readAzureSettings().queueName);
  });

  test("are in the account of the trigger, whose messages are encoded as the code encodes them", () => {
    expect(settings.get("AzureWebJobsStorage__queueServiceUri")).toMatchObject({ name: "queueEndpoint" });
    expect(queues.messageEncoding).toBe("base64");
  });
});

describe("host.json", () => {
  test("is the one that a build writes", async () => {
    expect(await text("host.json")).toBe(hostJson());
  });

  test("stops a function when the code thinks so, and the Bicep", () => {
    const [hours = 0, minutes = 0, seconds = 0] = host.functionTimeout.split(":").map(Number);
    const timeout = hours * 3600 + minutes * 60 + seconds;
    expect(readAzureSettings().functionTimeoutMs).toBe(timeout * 1000);
    expect(main.parameters.get("functionTimeoutSeconds")?.fallback).toMatchObject({ number: timeout });
  });

  test("has the route prefix that the URL of the API ends with", () => {
    expect(textOf(app.outputs.get("apiUrl"))).toMatch(new RegExp(`/${http.routePrefix}$`));
  });

  test("is what docs/azure-functions.md explains", async () => {
    const rows = (await text("docs/azure-functions.md"))
      .split("\n")
      .map((line) => line.split("|").map((cell) => cell.trim()));
    const valueOf = (setting: string) => rows.find(([, name = ""]) => name.includes(`\`${setting}\``))?.[2];
    expect([
      valueOf("functionTimeout"),
      valueOf("newBatchThreshold"),
      valueOf("queues.maxPollingInterval"),
      valueOf("maxDequeueCount"),
      valueOf("queues.messageEncoding"),
      valueOf("http.routePrefix"),
    ]).toEqual([
      `\`${host.functionTimeout}\``,
      `${queues.batchSize}, ${queues.newBatchThreshold}`,
      `\`${queues.maxPollingInterval}\``,
      `\`${queues.visibilityTimeout}\`, ${queues.maxDequeueCount}`,
      `\`${queues.messageEncoding}\``,
      `\`${http.routePrefix}\``,
    ]);
  });

  test("lets through the levels that alerts are about: the app's own lines, and the host's warnings", async () => {
    const { logging } = z
      .object({ logging: z.object({ logLevel: z.record(z.string(), z.string()) }) })
      .parse(JSON.parse(await text("host.json")));
    expect(logging.logLevel).toMatchObject({ default: "Warning", "Host.Function.Console": "Information" });
  });
});

test("local.settings.example.json says what the code thinks by default", async () => {
  const { Values } = z
    .object({ Values: z.record(z.string(), z.string()) })
    .parse(JSON.parse(await text("local.settings.example.json")));
  const { RUN_QUEUE, TICK_SCHEDULE, FUNCTION_TIMEOUT_SECONDS } = AzureEnvironment.parse({});
  expect(Values).toMatchObject({
    RUN_QUEUE,
    TICK_SCHEDULE,
    FUNCTION_TIMEOUT_SECONDS: String(FUNCTION_TIMEOUT_SECONDS),
  });
});

describe("connections to Postgres", () => {
  const POOLED = 5000; // pgbouncer.max_client_conn
  /** What users have of max_connections. @see https://learn.microsoft.com/azure/postgresql/configure-maintain/concepts-limits */
  const LIMITS: Record<string, number> = { Standard_B1ms: 35, Standard_B2s: 414 };
  const number = (name: string) => Number(asText(main.parameters.get(name)?.fallback));
  /** The HTTP functions and the queue's scale apart, each to the maximum; there is one timer. */
  const most = (instances: number) => (2 * instances + 1) * number("databasePoolSize");
  const skus = listOf(main.parameters.get("databaseSku")?.decorators.get("allowed")).map(textOf);

  test.each(skus)("are no more than %s takes", (sku) => {
    const limit = LIMITS[sku] ?? POOLED;
    const advised = sku === "Standard_B1ms" ? 3 : number("maximumInstanceCount");
    expect(most(advised)).toBeLessThanOrEqual(limit);
  });

  test("are fewer where a size takes fewer, as its description says", () => {
    expect(most(number("maximumInstanceCount"))).toBeGreaterThan(LIMITS["Standard_B1ms"] ?? 0);
    const description = textOf(main.parameters.get("databaseSku")?.decorators.get("description"));
    expect(description.replaceAll(/\s+/g, " ")).toContain("35 connections: set maximumInstanceCount to 3");
  });

  test("go through PgBouncer wherever it is", () => {
    const { variables } = find(files, "postgres.bicep");
    expect(variables.get("port")).toMatchObject({
      kind: "either",
      values: [{ number: 6432 }, { number: 5432 }],
    });
    expect(skus.every((sku) => /^Standard_[BDE]\d/.test(sku))).toBe(true); // which the choice of the tier goes by
  });
});

test("roles are those that the documentation of Azure has under these ids, and there are no others", () => {
  const roles = files.flatMap(({ source }) => [...source.matchAll(/'([\da-f]{8}-[\da-f-]{27})' \/\/ (.+)/g)]);
  const assignments = files
    .flatMap(({ resources }) => resources)
    .filter(({ type }) => type.includes("/roleAssignments@"));
  expect(Object.fromEntries(roles.map(([, id, name]) => [name, id]))).toEqual({
    "Key Vault Secrets Officer": "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
    "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
    "Monitoring Metrics Publisher": "3913510d-42f4-4e42-8a64-420c390055eb",
    "Storage Blob Data Owner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "Storage Queue Data Contributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
  });
  expect(assignments).toHaveLength(roles.length);
});

describe("azure.yaml", () => {
  test("names the Bicep, the tagged function app, and the folder that the hooks make", async () => {
    const yaml = await text("azure.yaml");
    const { scripts } = z
      .object({ scripts: z.record(z.string(), z.string()) })
      .parse(JSON.parse(await text("package.json")));
    const [, folder] = /^ {2}path: (.+)$/m.exec(yaml) ?? [];
    const [, module] = /^ {2}module: (.+)$/m.exec(yaml) ?? [];
    await access(`${folder}/${module}.bicep`);
    await access(`${folder}/${module}.parameters.json`);
    const [, service] = /^services:\n {2}(\w+):$/m.exec(yaml) ?? [];
    const tagged = files.flatMap(({ source }) => source.match(/'azd-service-name': '\w+'/g) ?? []);
    expect(tagged).toEqual([`'azd-service-name': '${service}'`]); // azd wants one
    const [, project] = /^ {4}project: (.+)$/m.exec(yaml) ?? [];
    expect(scripts["bundle:azure"]).toContain(`build --target azure --out ${project}`);
    expect(yaml).toContain("remoteBuild: false");
    expect(yaml.match(/run: .*npm run bundle:azure$/gm)).toHaveLength(4);
  });

  test("gives parameters that there are", async () => {
    const { parameters } = z
      .object({ parameters: z.record(z.string(), z.unknown()) })
      .parse(JSON.parse(await text("infra/azure/main.parameters.json")));
    expect(Object.keys(parameters).filter((name) => !main.parameters.has(name))).toEqual([]);
  });
});

test("the commands of the README use outputs that there are", async () => {
  const asked = [
    ...(await text("infra/azure/README.md")).matchAll(
      /\$\(?(?:output |azd env get-value )?([A-Z]+(?:_[A-Z]+)+)/g,
    ),
  ];
  expect(asked.length).toBeGreaterThan(5);
  expect(asked.map(([, name]) => String(name)).filter((name) => !main.outputs.has(name))).toEqual([]);
});
