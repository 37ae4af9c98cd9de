/** Runs the tests on another version of Node, out of npm: `npm run test:node -- 22`. */
import { spawnSync } from "node:child_process";

const [version, ...rest] = process.argv.slice(2);
if (version === undefined) {
  console.error("Which version? For example: npm run test:node -- 22");
  process.exit(1);
}
const run = [
  "exec",
  "--yes",
  `--package=node@${version}`,
  "--",
  "node",
  "node_modules/vitest/vitest.mjs",
  "run",
  ...rest,
];
process.exit(spawnSync("npm", run, { stdio: "inherit" }).status ?? 1);
