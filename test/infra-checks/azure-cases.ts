/**
 * Deployments of infra/azure, and what must hold of what they ask Azure for: an environment that the code takes, as it is
 * meant; who may do what with what; what is public; sizes and thresholds.
 */

import { expect } from "vitest";
import { readAzureSettings } from "../../src/host-settings.ts";
import { readSettings } from "../../src/settings.ts";
import { all, at, bicepSources, environmentOf, only, told } from "../support/bicep/deployment.ts";
import { evaluate, type Deployed, type Sources } from "../support/bicep/evaluate.ts";
import { asText, type Fields } from "../support/bicep/functions.ts";
import {
  accessOf,
  administratorOf,
  alertsOf,
  configurationsOf,
  rolesOf,
  serverUrl,
  sizesOf,
} from "./azure-facts.ts";

export const sources = await bicepSources("infra/azure");

const OWN_URL = "postgres://ada:secret@db.example:5432/agents?sslmode=verify-full";
const KEYS = `main:${Buffer.alloc(32, 1).toString("base64")}`;
const RULES = { alertEmail: "ada@example.com" };

interface Case {
  readonly given: Fields;
  /** Of settings, by the names under which they are in the Key Vault. */
  readonly secrets?: Readonly<Record<string, string>>;
  readonly holds: (deployed: Deployed, from: Sources) => void;
}

export const CASES: Readonly<Record<string, Case>> = {
  "by default": { given: {}, holds: isAsTheCodeHasIt },
  "with a database of one's own": { given: { databaseUrl: OWN_URL }, holds: hasNoServer },
  "with the smallest server": { given: { databaseSku: "Standard_B1ms" }, holds: hasNoPooler },
  "with a server of much memory": { given: { databaseSku: "Standard_E4ds_v5" }, holds: hasMuchMemory },
  "with a server that is there": { given: { databaseServerName: "restored" }, holds: takesTheServer },
  "with an administrator": {
    given: {
      databaseAdministratorId: "ada-id",
      databaseAdministratorName: "ada@example.com",
      operatorId: "operator-id",
    },
    holds: hasAnAdministrator,
  },
  "in a private network": { given: { privateNetworking: true, privateApi: true }, holds: isPrivate },
  "in a private network, with a public API": {
    given: { privateNetworking: true },
    holds: (deployed) => expect(accessOf(deployed)).toMatchObject({ vaults: "Disabled", sites: "Enabled" }),
  },
  "with other settings": {
    given: {
      databaseMigrate: false,
      databasePoolSize: 7,
      databaseTimeoutSeconds: 20,
      logLevel: "debug",
      langgraphConfig: '{"chat":{"recursion_limit":7}}',
      runLeaseSeconds: 60,
      eventRetentionHours: 48,
      publicUrl: "https://agents.example.com/api",
      runQueue: "other-runs",
      tickSchedule: "0 0 * * * *",
      functionTimeoutSeconds: 300,
      keyVaultSettings: ["ENCRYPTION_KEYS", "OPENAI_API_KEY"],
      extraSettings: { CHAT_MODEL: "some" },
    },
    secrets: { "ENCRYPTION-KEYS": KEYS, "OPENAI-API-KEY": "sk" },
    holds: hasOtherSettings,
  },
  "with other sizes": {
    given: {
      resourceGroupName: "rg-mine",
      instanceMemoryMB: 4096,
      maximumInstanceCount: 7,
      alwaysReadyHttpInstances: 2,
      httpConcurrency: 30,
      databaseStorageGB: 64,
      databaseBackupDays: 14,
      databaseGeoRedundantBackup: true,
      logRetentionDays: 60,
      logDailyCapGB: 5,
      vaultPurgeProtection: true,
      privateNetworking: true,
      addressStart: "10.99",
    },
    holds: hasOtherSizes,
  },
  "with alerts": { given: { ...RULES, waitingRunAlertSeconds: 900 }, holds: hasAlerts },
  "with alerts, where ticks are rare": {
    given: { ...RULES, missingTickAlertWindow: "" },
    holds: (deployed) => expect(Object.keys(alertsOf(deployed))).not.toContain("missing-ticks"),
  },
  "with alerts, where ticks are not logged": {
    given: { ...RULES, logLevel: "warn" },
    holds: (deployed) => expect(Object.keys(alertsOf(deployed))).not.toContain("missing-ticks"),
  },
};

/** @throws what expect throws, or the evaluation */
export function verify(name: string, from: Sources): void {
  const { given = {}, holds = () => expect.unreachable() } = CASES[name] ?? {};
  const deployed = deploy(from, given);
  const [identity, storage, site] = [
    only(deployed, "userAssignedIdentities"),
    only(deployed, "storageAccounts"),
    only(deployed, "sites"),
  ];
  expect(rolesOf(deployed)).toEqual({
    ...OF_THE_APP,
    ...(given["operatorId"] === undefined ? {} : { "operator-id: Key Vault Secrets Officer": "vaults" }),
  });
  const environment = environmentOf(deployed, CASES[name]?.secrets);
  const clientId = told(identity, "clientId");
  expect(environment).toMatchObject({
    AZURE_CLIENT_ID: clientId,
    AzureWebJobsStorage__blobServiceUri: told(storage, "primaryEndpoints", "blob"),
    AzureWebJobsStorage__credential: "managedidentity",
    APPLICATIONINSIGHTS_CONNECTION_STRING: told(only(deployed, "components"), "ConnectionString"),
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: `ClientId=${clientId};Authorization=AAD`,
  });
  const settings = readAzureSettings(environment);
  expect(settings.storage.queueServiceUri).toBe(told(storage, "primaryEndpoints", "queue"));
  expect(settings.storage.clientId).toBe(clientId);
  const queues = [settings.queueName, `${settings.queueName}-poison`];
  expect(all(deployed, "queues").map((queue) => queue.name)).toEqual(queues);
  expect(at(site, "identity", "userAssignedIdentities")).toEqual({ [identity.id]: {} });
  expect(at(site, "properties", "keyVaultReferenceIdentity")).toBe(identity.id);
  expect(at(site, "properties", "functionAppConfig", "deployment", "storage")).toEqual({
    type: "blobContainer",
    value: `${told(storage, "primaryEndpoints", "blob")}${only(deployed, "containers").name}`,
    authentication: { type: "UserAssignedIdentity", userAssignedIdentityResourceId: identity.id },
  });
  holds(deployed, from);
}

export function deploy(from: Sources, given: Fields): Deployed {
  return evaluate(from, "infra/azure/main.bicep", {
    environmentName: "test",
    location: "westeurope",
    ...given,
  });
}

const OF_THE_APP = {
  "the app: Monitoring Metrics Publisher": "components",
  "the app: Storage Blob Data Owner": "storageAccounts",
  "the app: Storage Queue Data Contributor": "storageAccounts",
  "the app: Key Vault Secrets User": "vaults",
};

function isAsTheCodeHasIt(deployed: Deployed): void {
  const environment = environmentOf(deployed);
  const { DATABASE_URL = "", DATABASE_AUTH = "" } = environment;
  expect({ DATABASE_URL, DATABASE_AUTH }).toEqual({
    DATABASE_URL: serverUrl(deployed, 6432),
    DATABASE_AUTH: "entra",
  });
  const { database, ...settings } = readSettings(environment);
  const { database: byCode, ...defaults } = readSettings({ DATABASE_URL });
  expect(settings).toEqual(defaults);
  expect({ ...database, tokens: undefined }).toEqual({ ...byCode, tokens: undefined });
  expect({ ...readAzureSettings(environment), storage: undefined }).toEqual({
    ...readAzureSettings(),
    storage: undefined,
  });
  expect(configurationsOf(deployed)).toEqual({
    "pgbouncer.enabled": "true",
    "pgbouncer.pool_mode": "transaction",
  });
  expect(at(only(deployed, "flexibleServers"), "sku")).toEqual({
    name: "Standard_D2ds_v5",
    tier: "GeneralPurpose",
  });
  expect(sizesOf(deployed)).toEqual({
    scale: { instanceMemoryMB: 2048, maximumInstanceCount: 40, alwaysReady: [], triggers: null },
    storage: { storageSizeGB: 32, autoGrow: "Enabled" },
    backup: { backupRetentionDays: 7, geoRedundantBackup: "Disabled" },
    logs: [30, 1],
    purgeProtection: null,
  });
  expect(accessOf(deployed)).toEqual({
    storageAccounts: "Enabled",
    vaults: "Enabled",
    sites: "Enabled",
    flexibleServers: "Enabled",
  });
  expect(only(deployed, "firewallRules").values["properties"]).toEqual({
    startIpAddress: "0.0.0.0",
    endIpAddress: "0.0.0.0",
  });
  expect([...all(deployed, "privateEndpoints"), ...all(deployed, "scheduledQueryRules")]).toEqual([]);
  const app = only(deployed, "userAssignedIdentities");
  expect(administratorOf(deployed)).toEqual([told(app, "principalId"), app.name, "ServicePrincipal"]);
}

function hasNoServer(deployed: Deployed): void {
  const environment = environmentOf(deployed);
  expect(environment).toMatchObject({ DATABASE_URL: OWN_URL, DATABASE_AUTH: "password" });
  expect(readSettings(environment).database).not.toHaveProperty("tokens");
  expect(deployed.resources.filter(({ type }) => type.includes("PostgreSQL"))).toEqual([]);
  const inTheOpen = at(only(deployed, "sites"), "properties", "siteConfig", "appSettings");
  expect(JSON.stringify(inTheOpen)).not.toContain("secret@");
}

function hasNoPooler(deployed: Deployed): void {
  expect(environmentOf(deployed)["DATABASE_URL"]).toBe(serverUrl(deployed, 5432));
  expect(configurationsOf(deployed)).toEqual({});
  expect(at(only(deployed, "flexibleServers"), "sku", "tier")).toBe("Burstable");
}

function hasMuchMemory(deployed: Deployed): void {
  expect(environmentOf(deployed)["DATABASE_URL"]).toBe(serverUrl(deployed, 6432));
  expect(at(only(deployed, "flexibleServers"), "sku", "tier")).toBe("MemoryOptimized");
}

/** As one that is made, but for its name. */
function takesTheServer(deployed: Deployed, from: Sources): void {
  const made = deploy(from, {});
  const renamed = JSON.stringify(made).replaceAll(only(made, "flexibleServers").name, "restored");
  expect(deployed).toEqual(JSON.parse(renamed));
}

function hasAnAdministrator(deployed: Deployed): void {
  expect(administratorOf(deployed)).toEqual(["ada-id", "ada@example.com", "User"]);
  expect(environmentOf(deployed)["DATABASE_URL"]).toBe(serverUrl(deployed, 6432));
}

/** By which part of what, and in which zone it is found. */
function isPrivate(deployed: Deployed): void {
  expect(accessOf(deployed)).toEqual({
    storageAccounts: "Disabled",
    vaults: "Disabled",
    sites: "Disabled",
    flexibleServers: "Disabled",
  });
  for (const type of ["storageAccounts", "vaults"])
    expect(at(only(deployed, type), "properties", "networkAcls", "defaultAction")).toBe("Deny");
  expect(all(deployed, "firewallRules")).toEqual([]);
  const network = only(deployed, "virtualNetworks");
  expect(at(only(deployed, "sites"), "properties", "virtualNetworkSubnetId")).toBe(
    `${network.id}/subnets/app`,
  );
  const connection = ["properties", "privateLinkServiceConnections", 0, "properties"] as const;
  const ways = all(deployed, "privateEndpoints").map((endpoint) => {
    expect(at(endpoint, "properties", "subnet", "id")).toBe(`${network.id}/subnets/endpoints`);
    const zones = all(deployed, "privateDnsZoneGroups").find(({ id }) => id.startsWith(`${endpoint.id}/`));
    const target = deployed.resources.find(
      ({ id }) => id === at(endpoint, ...connection, "privateLinkServiceId"),
    );
    const zoneId =
      zones && at(zones, "properties", "privateDnsZoneConfigs", 0, "properties", "privateDnsZoneId");
    const zone = deployed.resources.find(({ id }) => id === zoneId);
    return [asText(at(endpoint, ...connection, "groupIds", 0)), [target?.type.split("/").at(-1), zone?.name]];
  });
  expect(Object.fromEntries(ways)).toEqual({
    blob: ["storageAccounts", "privatelink.blob.core.windows.net"],
    queue: ["storageAccounts", "privatelink.queue.core.windows.net"],
    vault: ["vaults", "privatelink.vaultcore.azure.net"],
    postgresqlServer: ["flexibleServers", "privatelink.postgres.database.azure.com"],
    sites: ["sites", "privatelink.azurewebsites.net"],
  });
}

function hasOtherSettings(deployed: Deployed): void {
  const environment = environmentOf(deployed, CASES["with other settings"]?.secrets);
  expect(environment).toMatchObject({ CHAT_MODEL: "some", OPENAI_API_KEY: "sk" });
  expect(readSettings(environment)).toMatchObject({
    database: { poolSize: 7, migrate: false, timeoutMs: 20_000, encryptionKeys: expect.anything() },
    logLevel: "debug",
    graphDefaults: new Map([["chat", { recursionLimit: 7 }]]),
    leaseMs: 60_000,
    eventRetentionMs: 48 * 3_600_000,
    publicUrl: "https://agents.example.com/api",
  });
  expect(readAzureSettings(environment)).toMatchObject({
    queueName: "other-runs",
    tickSchedule: "0 0 * * * *",
    functionTimeoutMs: 300_000,
  });
}

function hasOtherSizes(deployed: Deployed): void {
  expect(only(deployed, "resourceGroups").name).toBe("rg-mine");
  expect(sizesOf(deployed)).toEqual({
    scale: {
      instanceMemoryMB: 4096,
      maximumInstanceCount: 7,
      alwaysReady: [{ name: "http", instanceCount: 2 }],
      triggers: { http: { perInstanceConcurrency: 30 } },
    },
    storage: { storageSizeGB: 64, autoGrow: "Enabled" },
    backup: { backupRetentionDays: 14, geoRedundantBackup: "Enabled" },
    logs: [60, 5],
    purgeProtection: true,
  });
  expect(at(only(deployed, "virtualNetworks"), "properties", "addressSpace", "addressPrefixes")).toEqual([
    "10.99.0.0/16",
  ]);
}

function hasAlerts(deployed: Deployed): void {
  expect(alertsOf(deployed)).toEqual({
    "waiting-runs": ["Maximum", "age", "GreaterThan", 900, "PT10M"],
    "missing-ticks": ["Count", undefined, "GreaterThan", 0, "PT15M"],
    "poison-queue": ["Count", undefined, "GreaterThan", 0, "PT5M"],
    "server-errors": ["Count", undefined, "GreaterThan", 5, "PT5M"],
  });
  const receivers = at(only(deployed, "actionGroups"), "properties", "emailReceivers");
  expect(receivers).toMatchObject([{ emailAddress: RULES.alertEmail }]);
}
