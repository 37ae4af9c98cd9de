/** What is to be known of a deployment of infra/azure. */

import { expect } from "vitest";
import { all, at, only, told } from "../support/bicep/deployment.ts";
import type { Deployed } from "../support/bicep/evaluate.ts";
import { asText } from "../support/bicep/functions.ts";

/** @see https://learn.microsoft.com/azure/role-based-access-control/built-in-roles */
const ROLES: Readonly<Record<string, string>> = {
  "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": "Key Vault Secrets Officer",
  "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
  "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
  "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
  "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
};

/** Who may do what, with which kind of resource; there is one of each. */
export function rolesOf(deployed: Deployed): Record<string, string | undefined> {
  const app = told(only(deployed, "userAssignedIdentities"), "principalId");
  const assignments = all(deployed, "roleAssignments").map((one) => {
    const [id = ""] = asText(at(one, "properties", "roleDefinitionId"))
      .split("/")
      .slice(-1);
    const who = asText(at(one, "properties", "principalId"));
    const scope = deployed.resources.find((resource) => resource.id === at(one, "scope"));
    return [`${who === app ? "the app" : who}: ${ROLES[id]}`, scope?.type.split("/").at(-1)];
  });
  expect(new Set(assignments.map(([role]) => role)).size, "each role once").toBe(assignments.length);
  return Object.fromEntries(assignments);
}

export function accessOf(deployed: Deployed): Record<string, unknown> {
  const server = all(deployed, "flexibleServers").map((one) =>
    at(one, "properties", "network", "publicNetworkAccess"),
  );
  const types = ["storageAccounts", "vaults", "sites"];
  return {
    ...Object.fromEntries(
      types.map((type) => [type, at(only(deployed, type), "properties", "publicNetworkAccess")]),
    ),
    flexibleServers: server[0],
  };
}

export function serverUrl(deployed: Deployed, port: number): string {
  const user = only(deployed, "userAssignedIdentities").name;
  const host = told(only(deployed, "flexibleServers"), "fullyQualifiedDomainName");
  return `postgres://${user}@${host}:${port}/${only(deployed, "databases").name}?sslmode=verify-full`;
}

export function configurationsOf(deployed: Deployed): Record<string, unknown> {
  return Object.fromEntries(
    all(deployed, "configurations").map((one) => [one.name, at(one, "properties", "value")]),
  );
}

export function administratorOf(deployed: Deployed): readonly unknown[] {
  const administrator = only(deployed, "administrators");
  const [name, type] = ["principalName", "principalType"].map((part) =>
    at(administrator, "properties", part),
  );
  return [administrator.name, name, type];
}

export function sizesOf(deployed: Deployed): Record<string, unknown> {
  const [server, workspace] = [only(deployed, "flexibleServers"), only(deployed, "workspaces")];
  return {
    scale: at(only(deployed, "sites"), "properties", "functionAppConfig", "scaleAndConcurrency"),
    storage: at(server, "properties", "storage"),
    backup: at(server, "properties", "backup"),
    logs: [
      at(workspace, "properties", "retentionInDays"),
      at(workspace, "properties", "workspaceCapping", "dailyQuotaGb"),
    ],
    purgeProtection: at(only(deployed, "vaults"), "properties", "enablePurgeProtection"),
  };
}

/** What goes off when, and who hears of it. */
export function alertsOf(deployed: Deployed): Record<string, readonly unknown[]> {
  return Object.fromEntries(
    all(deployed, "scheduledQueryRules").map((rule) => {
      const part = (...path: readonly string[]) => at(rule, "properties", "criteria", "allOf", 0, ...path);
      expect(at(rule, "properties", "enabled")).toBe(true);
      expect(at(rule, "properties", "evaluationFrequency")).toBe("PT5M");
      expect(part("failingPeriods")).toEqual({ numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 });
      expect(at(only(deployed, "actionGroups"), "properties", "enabled")).toBe(true);
      expect(at(rule, "properties", "scopes")).toEqual([only(deployed, "components").id]);
      expect(at(rule, "properties", "actions", "actionGroups")).toEqual([only(deployed, "actionGroups").id]);
      return [
        rule.name.replace(/-[^-]+$/, ""),
        [
          part("timeAggregation"),
          part("metricMeasureColumn"),
          part("operator"),
          part("threshold"),
          at(rule, "properties", "windowSize"),
        ],
      ];
    }),
  );
}
