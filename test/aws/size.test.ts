import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const root = new URL("../../", import.meta.url);
const docs = readFileSync(new URL("docs/aws-lambda.md", root), "utf8");

function linesOf(folder: string): number {
  const files = readdirSync(new URL(`${folder}/`, root));
  const lines = files.map(
    (file) => readFileSync(new URL(`${folder}/${file}`, root), "utf8").split("\n").length - 1,
  );
  return lines.reduce((sum, count) => sum + count, 0);
}

test.each(["src/aws", "src/azure"])(
  "the adapter %s has no more lines than the documentation says, nor many less",
  (folder) => {
    const [, most] = new RegExp(`\`${folder}\` +\\| (\\d+)`).exec(docs) ?? [];
    expect(linesOf(folder)).toBeLessThanOrEqual(Number(most));
    expect(linesOf(folder)).toBeGreaterThan(Number(most) - 100);
  },
);
