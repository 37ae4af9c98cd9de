/** The alarms of `infra/aws` read what each tick logs. */

import { LangGraphApp } from "langgraph-functions";
import { expect, test } from "vitest";
import { testDatabase } from "../support/database.ts";
import { readModule } from "../support/hcl.ts";

test("the metric filter finds its fields in the line of a tick that had nothing to do", async () => {
  await using database = await testDatabase();
  const lines: object[] = [];
  const keep = (fields: object, msg: string) => void lines.push({ ...fields, msg });
  await using app = new LangGraphApp({ logger: { info: keep, warn: keep, error: keep } });
  const queue = {
    send: async () => undefined,
    check: async () => undefined,
    depth: async () => ({ messages: 0 }),
    outlivesProcess: () => true,
  };
  const settings = {
    database: { url: database.url, poolSize: 1, migrate: false },
    logLevel: "silent",
  } as const;
  await app.doors({ settings, queue }).tick({ signal: new AbortController().signal, authLevel: "admin" });

  const { resources } = await readModule("infra/aws");
  const fields = resources.find(({ type }) => type === "aws_cloudwatch_log_metric_filter")?.fields;
  expect(fields?.["pattern"]).toBe('{ $.msg = "Tick" && $.oldest_waiting_run_age_s >= 0 }');
  expect(fields?.["metric_transformation"]).toMatchObject([{ value: "$.oldest_waiting_run_age_s" }]);
  expect(lines).toMatchObject([{ msg: "Tick", oldest_waiting_run_age_s: 0 }]);
});
