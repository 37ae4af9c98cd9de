/**
 * Looks at what comes with us into production, as the lock file has it: each package's licence, no scripts that run when
 * it is installed, and no known vulnerability, as far as the registry tells of them.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

const ALLOWED = new Set([
  "0BSD",
  "Apache-2.0",
  "BlueOak-1.0.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "CC0-1.0",
  "ISC",
  "MIT",
  "Python-2.0",
  "Unlicense",
]);

/** What their scripts do has been looked at: they put esbuild's own program in place. */
const KNOWN_SCRIPTS = new Set(["esbuild"]);

const packages = Object.entries(JSON.parse(readFileSync("package-lock.json", "utf8")).packages);
const shipped = packages.filter(([path, { dev }]) => path !== "" && dev !== true);

const faults = shipped.flatMap(([path, { license, hasInstallScript, resolved, integrity }]) => {
  const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
  return [
    ...(isAllowed(license) ? [] : [`${path}: its licence is ${license ?? "not told"}`]),
    ...(hasInstallScript && !KNOWN_SCRIPTS.has(name)
      ? [`${path}: it runs a script when it is installed`]
      : []),
    ...(resolved !== undefined && integrity === undefined
      ? [`${path}: nothing tells whether it is what it was`]
      : []),
  ];
});

/** One of several will do; of what comes together, each must. */
function isAllowed(licence = "") {
  return licence
    .replaceAll(/[()]/g, "")
    .split(" OR ")
    .some((choice) => choice.split(" AND ").every((one) => ALLOWED.has(one)));
}

/** What npm says of known vulnerabilities; null where its registry is not asked, as many mirrors do not take the question. */
function audit() {
  const { stdout } = spawnSync("npm", ["audit", "--omit=dev", "--json"], { encoding: "utf8" });
  try {
    const { metadata, vulnerabilities = {} } = JSON.parse(stdout);
    return metadata === undefined ? null : Object.values(vulnerabilities);
  } catch {
    return null;
  }
}

const vulnerable = audit();
for (const { name, severity, range } of vulnerable ?? [])
  faults.push(`${name} ${range}: a vulnerability is known (${severity}); see npm audit`);

for (const fault of faults) console.error(fault);
console.log(
  `${shipped.length} packages come along. Known vulnerabilities: ${
    vulnerable === null ? "NOT CHECKED, as the registry does not answer npm audit" : vulnerable.length
  }.`,
);
process.exit(faults.length === 0 ? 0 : 1);
