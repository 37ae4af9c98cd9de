/** docs/observability.md tells of all that is logged and measured, and of nothing else. */

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { logged, METRICS } from "../support/observability.ts";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

describe("what is logged", () => {
  const source = read("src/core/logger.ts");

  test("consists of the fields that the documentation lists", () => {
    const [, members = ""] = /interface LogFields \{([\s\S]*?)\n\}/.exec(source) ?? [];
    const fields = [...members.matchAll(/readonly (\w+)\?:/g)].map(([, name = ""]) => name);
    expect(fields.length).toBeGreaterThan(10);
    expect([...logged.fields].toSorted()).toEqual([...fields, "level", "msg", "time"].toSorted());
  });

  test.each(["Info", "Warn", "Error"])("has the messages that it lists (%s)", (level) => {
    const [, union = ""] = new RegExp(`type ${level}Message =([\\s\\S]*?);\\n\\n`).exec(source) ?? [];
    const messages = [...union.matchAll(/"([^"]+)"/g)].map(([, message = ""]) => message);
    expect([...(logged.messages.get(level.toLowerCase()) ?? [])].toSorted()).toEqual(messages.toSorted());
  });
});

test("what is measured is listed, with its kind and unit", () => {
  const source = read("src/telemetry-metrics.ts");
  const instruments = [...source.matchAll(/"([\w.]+)": \{\s*kind: "(\w+)",\s*unit: "([^"]+)"/g)];
  const measured = instruments.map(([, name, kind, unit]) => `${name} ${kind} ${unit}`);
  expect(measured.length).toBeGreaterThan(8);
  expect(METRICS.toSorted()).toEqual(measured.toSorted());
});
