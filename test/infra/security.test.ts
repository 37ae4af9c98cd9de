/** What checkov finds is mended, or set aside where it is, with the reason. */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { scan, type Scan } from "../support/checkov.ts";

/** All in one file, as the first scan installs checkov. */
describe.each([{ folder: "infra/aws", framework: "terraform", extension: ".tf", atLeast: 100 }])(
  "$folder",
  ({ folder, framework, extension, atLeast }) => {
    let found: Scan;
    beforeAll(async () => {
      found = await scan(folder, framework);
    }, 600_000);

    test("nothing is found that is not mended or set aside", () => {
      expect(found.failed).toEqual([]);
      expect(found.passed.length).toBeGreaterThan(atLeast);
    });

    test("what is set aside would be found, and has a reason", async () => {
      const asides = await asidesIn(folder, extension);
      const skipped = new Set(found.skipped.map(({ file, id }) => `${file.replace(/^\//, "")} ${id}`));
      expect(asides.filter(({ reason }) => reason === "")).toEqual([]);
      expect(asides.map(({ file, id }) => `${file} ${id}`).filter((aside) => !skipped.has(aside))).toEqual(
        [],
      );
    });
  },
);

interface Aside {
  readonly file: string;
  readonly id: string;
  readonly reason: string;
}

async function asidesIn(folder: string, extension: string): Promise<readonly Aside[]> {
  const path = fileURLToPath(new URL(`../../${folder}`, import.meta.url));
  const files = (await readdir(path, { recursive: true })).filter((name) => name.endsWith(extension));
  const asides = files.map(async (file) =>
    [...(await readFile(join(path, file), "utf8")).matchAll(/checkov:skip=(\w+):? ?(.*)/g)].map(
      ([, id = "", reason = ""]) => ({ file, id, reason }),
    ),
  );
  return (await Promise.all(asides)).flat();
}
