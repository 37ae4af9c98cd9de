import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Under a lock, as several test files may want the same: what comes second finds it done. */
const INSTALL = `
import fcntl, pathlib, subprocess, sys
folder, requirements = pathlib.Path(sys.argv[1]), sys.argv[2]
folder.mkdir(exist_ok=True)
with open(folder / "lock", "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    if not (folder / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder / "venv"], check=True)
        pip = [folder / "venv/bin/python", "-m", "pip", "install", "--quiet", "--requirement", requirements]
        subprocess.run(pip, check=True)
        (folder / "complete").touch()
`;

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
  await run("python3", ["-c", INSTALL, folder, requirements]);
  return programs;
}
