/** That what the alerts of infra/azure ask the logs for is in them. */

import { LangGraphApp } from "langgraph-functions";
import { expect, test } from "vitest";
import { find } from "../support/bicep/look.ts";
import { readBicep } from "../support/bicep/read.ts";
import { testDatabase } from "../support/database.ts";

const { source } = find(await readBicep("infra/azure"), "alerts.bicep");
const [, waitingRuns = ""] = /'''\n(traces[^']*'\{'[\s\S]*?)'''/.exec(source) ?? [];

test("waiting runs: a tick logs a line with the message and the number that the query asks for", async () => {
  await using database = await testDatabase();
  const told: { fields: object; message: string }[] = [];
  const logger = {
    info: (fields: object, message: string) => void told.push({ fields, message }),
    warn: () => undefined,
    error: () => undefined,
  };
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
  await using app = new LangGraphApp({ logger });
  await app.doors({ settings, queue }).tick({ signal: new AbortController().signal, authLevel: "admin" });

  const [, message] = /line\.msg == '(\w+)'/.exec(waitingRuns) ?? [];
  const [, field = ""] = /todouble\(line\.(\w+)\)/.exec(waitingRuns) ?? [];
  expect(told.find((line) => line.message === message)?.fields).toHaveProperty(field, 0);
});

test("waiting runs: the query narrows down to such lines before it reads them", () => {
  const [, has = ""] = /message has '(\w+)'/.exec(waitingRuns) ?? [];
  expect(waitingRuns).toContain(`line.${has}`);
  expect(source).toContain("metricMeasureColumn: 'age'");
  expect(waitingRuns).toMatch(/project timestamp, age = /);
});
