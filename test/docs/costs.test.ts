/** The arithmetic of docs/costs.md: each `… = …` in code is right, to the places that it shows. */

import { Parser } from "expr-eval-fork";
import { expect, test } from "vitest";
import { readDocument } from "../support/markdown.ts";

const document = await readDocument("docs/costs.md");
const SUM = /`([\d,.\s×÷+−()]+) = \$?([\d,.]+)`/g;
const sums = [...document.matchAll(SUM)].map(([shown, sum = "", result = ""]): [string, string, string] => [
  shown,
  sum,
  result,
]);

test("there are sums to check, and none that is written in another way", () => {
  expect(sums.length).toBeGreaterThan(30);
  expect(document.split("`").filter((span) => span.includes(" = ")).length).toBe(sums.length);
});

test.for(sums)("%s", ([, sum, result]) => {
  const plain = sum.replaceAll(",", "").replaceAll("×", "*").replaceAll("÷", "/").replaceAll("−", "-");
  const [, places = ""] = result.split(".");
  expect(Parser.evaluate(plain).toFixed(places.length)).toBe(result.replaceAll(",", ""));
});
