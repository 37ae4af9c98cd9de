/** checkov, of PyPI: what is insecure in a folder of infrastructure. It asks nobody. */

import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { z } from "zod";
import { installPackages } from "./python.ts";

const execute = promisify(execFile);

const Finding = z
  .object({ check_id: z.string(), check_name: z.string(), resource: z.string(), file_path: z.string() })
  .transform(({ check_id: id, check_name: name, resource, file_path: file }) => ({
    id,
    name,
    resource,
    file,
  }));
type Finding = z.output<typeof Finding>;

const Report = z.object({
  results: z.object({
    passed_checks: z.array(Finding),
    failed_checks: z.array(Finding),
    skipped_checks: z.array(Finding),
    parsing_errors: z.array(z.string()),
  }),
});

export interface Scan {
  readonly passed: readonly Finding[];
  readonly failed: readonly Finding[];
  /** Set aside where they are, each with its reason. */
  readonly skipped: readonly Finding[];
}

/** @throws Error for what checkov cannot read, or where it cannot be installed */
export async function scan(path: string, framework: string): Promise<Scan> {
  const requirements = fileURLToPath(new URL("../infra/requirements.txt", import.meta.url));
  const programs = await installPackages(requirements);
  const folder = fileURLToPath(new URL(`../../${path}`, import.meta.url));
  const { stdout } = await execute(
    join(programs, "python"),
    [
      join(programs, "checkov"),
      "--directory",
      folder,
      "--framework",
      framework,
      "--output",
      "json",
      "--soft-fail",
      "--skip-download",
      "--compact",
    ],
    { maxBuffer: 64 * 1024 * 1024, env: { ...process.env, LOG_LEVEL: "ERROR" } },
  );
  const { results } = Report.parse(JSON.parse(stdout));
  if (results.parsing_errors.length > 0)
    throw new Error(`checkov cannot read ${results.parsing_errors.join(", ")}`);
  return { passed: results.passed_checks, failed: results.failed_checks, skipped: results.skipped_checks };
}
