/** The alarms of `infra/aws` read what each tick logs. */

import { expect, test } from "vitest";
import { readModule } from "../support/hcl.ts";
import { idleTickLines } from "../support/idle-tick.ts";

test("the metric filter finds its fields in the line of a tick that had nothing to do", async () => {
  const { resources } = await readModule("infra/aws");
  const fields = resources.find(({ type }) => type === "aws_cloudwatch_log_metric_filter")?.fields;
  expect(fields?.["pattern"]).toBe('{ $.msg = "Tick" && $.oldest_waiting_run_age_s >= 0 }');
  expect(fields?.["metric_transformation"]).toMatchObject([{ value: "$.oldest_waiting_run_age_s" }]);
  expect(await idleTickLines()).toMatchObject([{ msg: "Tick", oldest_waiting_run_age_s: 0 }]);
});

test("each goes off where it is meant to", async () => {
  const { resources } = await readModule("infra/aws");
  const alarms = resources
    .filter(({ type }) => type === "aws_cloudwatch_metric_alarm")
    .map(({ name, fields }) => [
      name,
      [fields["statistic"], fields["comparison_operator"], fields["threshold"], fields["treat_missing_data"]],
    ]);
  expect(Object.fromEntries(alarms)).toEqual({
    dead_letters: ["Maximum", "GreaterThanThreshold", 0, "notBreaching"],
    waiting_runs: ["Maximum", "GreaterThanThreshold", "${var.waiting_run_alarm_seconds}", "notBreaching"],
    no_tick: ["SampleCount", "LessThanThreshold", 1, "breaching"],
    errors: ["Sum", "GreaterThanOrEqualToThreshold", "${var.error_alarm_count}", "notBreaching"],
    throttles: ["Sum", "GreaterThanThreshold", 0, "notBreaching"],
    database: ["Average", "GreaterThanThreshold", 90, "notBreaching"],
  });
});
