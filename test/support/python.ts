import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * What a `requirements.txt` names, of PyPI, into the system's folder for temporary files, so that the next run finds it
 * again. @returns the folder of programs
 */
export async function installPackages(requirements: string): Promise<string> {
  const version = createHash("sha256")
    .update(await readFile(requirements))
    .digest("hex")
    .slice(0, 12);
  const folder = join(tmpdir(), `langgraph-functions-python-${version}`);
  const programs = join(folder, "venv/bin");
  const isThere = await access(join(folder, "complete")).then(
    () => true,
    () => false,
  );
  if (isThere) return programs;
  await run("python3", ["-m", "venv", "--clear", join(folder, "venv")]);
  await run(join(programs, "python"), ["-m", "pip", "install", "--quiet", "--requirement", requirements]);
  await writeFile(join(folder, "complete"), "");
  return programs;
}
