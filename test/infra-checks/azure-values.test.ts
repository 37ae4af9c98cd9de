/** What infra/azure asks Azure for, in several deployments. And mistakes of one line each, which have to be found. */

import { describe, expect, test } from "vitest";
import type { Sources } from "../support/bicep/evaluate.ts";
import { CASES, sources, verify } from "./azure-cases.ts";

test.each(Object.keys(CASES))("%s", (name) => verify(name, sources));

/** Of one line each. */
const MISTAKES: readonly (readonly [file: string, from: string, to: string])[] = [
  ["app", "databaseMigrate ? 'true' : 'false'", "databaseMigrate ? 'false' : 'true'"],
  [
    "app",
    "{ name: 'AZURE_CLIENT_ID', value: identityClientId }",
    "{ name: 'AZURE_CLIENT_ID', value: identityId }",
  ],
  ["app", "replace(setting, '_', '-')", "setting"],
  ["app", "'${blobEndpoint}${deploymentContainer}'", "'${queueEndpoint}${deploymentContainer}'"],
  ["app", "value: string(databasePoolSize)", "value: string(databaseTimeoutSeconds)"],
  ["app", "keyVaultReferenceIdentity: identityId", "keyVaultReferenceIdentity: identityClientId"],
  ["app", "isPrivate ? 'Disabled' : 'Enabled'", "isPrivate ? 'Enabled' : 'Disabled'"],
  ["main", "ownDatabase ? 'entra' : 'password'", "ownDatabase ? 'password' : 'entra'"],
  ["main", "SecretName=DATABASE-URL", "SecretName=DATABASE-UR"],
  [
    "main",
    "queueZoneId: privateNetworking ? network!.outputs.queueZoneId",
    "queueZoneId: privateNetworking ? network!.outputs.blobZoneId",
  ],
  ["main", "empty(databaseServerName) ? 'psql-${token}' : databaseServerName", "'psql-${token}'"],
  ["main", "databaseTimeoutSeconds: databaseTimeoutSeconds", "databaseTimeoutSeconds: runLeaseSeconds"],
  ["postgres", "?sslmode=verify-full", ""],
  ["postgres", "sslmode=verify-full", "sslmode=require"],
  ["postgres", "isPrivate ? 'Disabled' : 'Enabled'", "isPrivate ? 'Enabled' : 'Disabled'"],
  ["postgres", "'MemoryOptimized' : 'GeneralPurpose'", "'GeneralPurpose' : 'MemoryOptimized'"],
  ["postgres", "hasPgBouncer ? 6432 : 5432", "hasPgBouncer ? 5432 : 6432"],
  ["storage", "roleDefinitions', queueContributor)", "roleDefinitions', blobOwner)"],
  ["storage", "isPrivate ? 'Deny' : 'Allow'", "isPrivate ? 'Allow' : 'Deny'"],
  ["vault", "roleDefinitions', secretsUser)", "roleDefinitions', secretsOfficer)"],
  ["vault", "name: 'DATABASE-URL'", "name: 'DATABASE-URI'"],
  ["postgres", "geoRedundantBackup ? 'Enabled' : 'Disabled'", "geoRedundantBackup ? 'Disabled' : 'Enabled'"],
  ["main", "backupDays: databaseBackupDays", "backupDays: logRetentionDays"],
  ["main", "maximumInstanceCount: maximumInstanceCount", "maximumInstanceCount: alwaysReadyHttpInstances"],
  ["app", "httpConcurrency == 0 ? null", "httpConcurrency != 0 ? null"],
  ["vault", "purgeProtection ? true : null", "purgeProtection ? null : true"],
  ["alerts", "threshold: waitingRunSeconds", "threshold: 0"],
  ["alerts", "windowSize: missingTickWindow", "windowSize: 'PT5M'"],
];

const fileOf = (name: string) =>
  name === "main" ? "infra/azure/main.bicep" : `infra/azure/modules/${name}.bicep`;

function isRight(from: Sources): boolean {
  try {
    for (const name of Object.keys(CASES)) verify(name, from);
    return true;
  } catch {
    return false;
  }
}

function changed(file: string, change: (source: string) => string): Sources {
  return new Map([...sources, [file, change(sources.get(file) ?? "")]]);
}

describe("a mistake is found:", () => {
  test.each(MISTAKES)("%s: %s, changed to %s", (name, from, to) => {
    const file = fileOf(name);
    expect(sources.get(file)?.split(from), `how often it is there`).toHaveLength(2);
    expect(isRight(changed(file, (source) => source.replace(from, () => to)))).toBe(false);
  });

  test("and where there is none, none is", () => {
    expect(isRight(sources)).toBe(true);
  });

  test.each([0, 1, 2, 3])("an alert that goes off the other way round: %i", (which) => {
    const file = fileOf("alerts");
    let seen = -1;
    const turned = changed(file, (source) =>
      source.replaceAll("'GreaterThan'", (found) => (++seen === which ? "'LessThan'" : found)),
    );
    expect(seen).toBe(3);
    expect(isRight(turned)).toBe(false);
  });
});
