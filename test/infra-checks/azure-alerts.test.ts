/** That what the alerts of infra/azure ask the logs for is in them. */

import { expect, test } from "vitest";
import { all, at } from "../support/bicep/deployment.ts";
import { asText } from "../support/bicep/functions.ts";
import { idleTickLines } from "../support/idle-tick.ts";
import { deploy, sources } from "./azure-cases.ts";

const rules = all(deploy(sources, { alertEmail: "ada@example.com" }), "scheduledQueryRules");

function queryOf(name: string): string {
  const rule = rules.find((one) => one.name.startsWith(name));
  return rule === undefined ? "" : asText(at(rule, "properties", "criteria", "allOf", 0, "query"));
}

const LINES =
  /^traces\n\| where message startswith '\{' and message has '(\w+)'\n\| extend line = parse_json\(message\)\n\| where line\.msg == '(\w+)'\n/;

test.each(["waiting-runs", "missing-ticks"])(
  "%s: a tick with nothing to do logs a line that the query takes",
  async (name) => {
    const [, field = "", msg] = LINES.exec(queryOf(name)) ?? [];
    expect(await idleTickLines()).toContainEqual(expect.objectContaining({ msg, [field]: 0 }));
  },
);

test("waiting runs: what is measured is what the line says", () => {
  const [, field] = LINES.exec(queryOf("waiting-runs")) ?? [];
  expect(queryOf("waiting-runs")).toMatch(
    new RegExp(`\\n\\| project timestamp, age = todouble\\(line\\.${field}\\)\\n$`),
  );
});

test("missing ticks: there is a row when there is no line", () => {
  expect(queryOf("missing-ticks")).toMatch(/\n\| summarize ticks = count\(\)\n\| where ticks == 0\n$/);
});
