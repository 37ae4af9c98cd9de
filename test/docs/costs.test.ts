/** The arithmetic of docs/costs.md: each `… = …` in code is right, to the places that it shows, and sums leave nothing out. */

import { Parser } from "expr-eval-fork";
import { describe, expect, test } from "vitest";
import { readModule } from "../support/hcl.ts";
import { readDocument } from "../support/markdown.ts";

const document = await readDocument("docs/costs.md");
const SUM = /`([\d,.\s×÷+−()]+) = \$?([\d,.]+)`/g;
const sums = [...document.matchAll(SUM)].map(([shown, sum = "", result = ""]): [string, string, string] => [
  shown,
  sum,
  result,
]);

test("there are sums to check, and none that is written in another way", () => {
  expect(sums.length).toBeGreaterThan(50);
  expect(document.split("`").filter((span) => span.includes(" = ")).length).toBe(sums.length);
});

test.for(sums)("%s", ([, sum, result]) => {
  const plain = sum.replaceAll(",", "").replaceAll("×", "*").replaceAll("÷", "/").replaceAll("−", "-");
  const [, places = ""] = result.split(".");
  expect(Parser.evaluate(plain).toFixed(places.length)).toBe(result.replaceAll(",", ""));
});

interface Row {
  readonly what: string;
  readonly arithmetic: string;
  /** In dollars; undefined where it is free, or no price. */
  readonly price: number | undefined;
}

/** The tables whose last column has prices, by the headings that they are below. */
const tables = document.split(/^#+ /m).flatMap((section): (readonly [string, readonly Row[]])[] => {
  const [heading = ""] = section.split("\n", 1);
  const rows = section.split("\n").filter((line) => line.startsWith("|"));
  const cells = rows.map((line) => line.split("|").map((cell) => cell.trim()));
  if (cells[0]?.[2] !== "arithmetic") return [];
  const priced = cells.slice(2).map(([, what = "", arithmetic = "", price = ""]) => ({
    what,
    arithmetic,
    price: /^\$[\d,.]+$/.test(price) ? toNumber(price) : undefined,
  }));
  return [[heading, priced]];
});

function toNumber(text: string): number {
  return Number(text.replaceAll(/[$,]/g, ""));
}

function resultsIn(text: string): readonly number[] {
  return [...text.matchAll(SUM)].map(([, , result = ""]) => toNumber(result));
}

function termsIn(text: string): readonly number[] {
  return [...text.matchAll(SUM)].flatMap(([, sum = ""]) => sum.split("+").map(toNumber));
}

const isSum = ({ what }: Row): boolean => what.startsWith("**sum");

test.for(tables)("%s: each price is what its arithmetic comes to", ([, rows]) => {
  const all = resultsIn(document);
  for (const { arithmetic, price } of rows.filter((row) => row.price !== undefined))
    expect(arithmetic.includes("as above") ? all : resultsIn(arithmetic)).toContain(price);
});

const summedUp = tables.filter(([, rows]) => rows.some(isSum));

test.for(summedUp)("%s: what is summed up stands in the table", ([, rows]) => {
  const prices = rows.filter((row) => !isSum(row)).map(({ price }) => price);
  for (const term of rows.filter(isSum).flatMap(({ arithmetic }) => termsIn(arithmetic)))
    expect(prices).toContain(term);
});

test.for(summedUp)("%s: what stands in the table is summed up, unless it says to be more", ([, rows]) => {
  const summed = rows.filter(isSum).flatMap(({ arithmetic }) => termsIn(arithmetic));
  const meant = rows.filter((row) => !isSum(row) && !row.arithmetic.endsWith(" more"));
  for (const price of meant.flatMap((row) => row.price ?? [])) expect(summed).toContain(price);
});

test("there are such tables", () => {
  expect([tables.length, summedUp.length]).toEqual([4, 3]);
});

test("what is told in short is told below, to the dollar", () => {
  const [, short = ""] = document.split(/^\| in short/m);
  const [table = ""] = short.split("\n\n", 1);
  const told = [...table.matchAll(/\$([\d,]+)/g)].map(([, dollars = ""]) => toNumber(dollars));
  const meant = document.split("\n").filter((line) => line.startsWith("|") || line.includes("agent run]"));
  const results = new Set([0, ...resultsIn(meant.join("\n")).map(Math.round)]);
  expect(told.length).toBeGreaterThan(10);
  expect(told.filter((dollars) => !results.has(dollars))).toEqual([]);
});

describe("it counts with what infra/ makes", () => {
  test("on AWS", async () => {
    const { variables, resources } = await readModule("infra/aws");
    const defaults = ["memory_mb", "tick_minutes", "architecture", "internet"].map(
      (name) => variables.get(name)?.["default"],
    );
    expect(defaults).toEqual([1769, 1, "arm64", "ipv6"]);
    expect(JSON.stringify(variables.get("tick_minutes"))).toContain("var.tick_minutes <= 60");
    const has = (type: string) => resources.filter((resource) => resource.type === type).length;
    expect(has("aws_nat_gateway")).toBe(has("aws_eip"));
    const mapping = resources.find(({ type }) => type === "aws_lambda_event_source_mapping");
    expect(mapping?.fields).toHaveProperty("scaling_config"); // with which pollers stay five
  });

  test("on Azure", async () => {
    const main = await readDocument("infra/azure/main.bicep");
    for (const parameter of [
      "databaseSku string = 'Standard_D2ds_v5'",
      "databaseStorageGB int = 32",
      "instanceMemoryMB int = 2048",
      "tickSchedule string = '0 * * * * *'",
    ])
      expect(main).toContain(`param ${parameter}\n`);
  });
});
