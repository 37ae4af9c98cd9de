/** Runs the tests on another version of Node, out of npm: `npm run test:node -- 22`. */
import { spawnSync } from "node:child_process";

const [version, ...rest] = process.argv.slice(2);
if (version === undefined) {
  console.error("Which version? For example: npm run test:node -- 22");
  process.exit(1);
}

/** The package `node` fetches its binary in an install script. */
function onThatNode(args, options) {
  const npm = ["exec", "--yes", "--ignore-scripts=false", `--package=node@${version}`, "--", "node", ...args];
  return spawnSync("npm", npm, { encoding: "utf8", ...options });
}

const actual = onThatNode(["--version"]).stdout.trim();
if (!actual.startsWith(`v${version}`)) {
  console.error(`Asked for Node ${version}, but npm gave ${actual || "none"}.`);
  process.exit(1);
}
console.log(`Node ${actual}`);
process.exit(
  onThatNode(["node_modules/vitest/vitest.mjs", "run", ...rest], { stdio: "inherit" }).status ?? 1,
);
