/** That what the alerts of infra/azure ask the logs for is in them. */

import { expect, test } from "vitest";
import { find } from "../support/bicep/look.ts";
import { readBicep } from "../support/bicep/read.ts";
import { idleTickLines } from "../support/idle-tick.ts";

const { source } = find(await readBicep("infra/azure"), "alerts.bicep");
const [, waitingRuns = ""] = /'''\n(traces[^']*'\{'[\s\S]*?)'''/.exec(source) ?? [];

test("waiting runs: a tick logs a line with the message and the number that the query asks for", async () => {
  const [, msg] = /line\.msg == '(\w+)'/.exec(waitingRuns) ?? [];
  const [, field = ""] = /todouble\(line\.(\w+)\)/.exec(waitingRuns) ?? [];
  expect(await idleTickLines()).toContainEqual(expect.objectContaining({ msg, [field]: 0 }));
});

test("waiting runs: the query narrows down to such lines before it reads them", () => {
  const [, has = ""] = /message has '(\w+)'/.exec(waitingRuns) ?? [];
  expect(waitingRuns).toContain(`line.${has}`);
  expect(source).toContain("metricMeasureColumn: 'age'");
  expect(waitingRuns).toMatch(/project timestamp, age = /);
});
