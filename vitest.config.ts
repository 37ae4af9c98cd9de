import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string) => fileURLToPath(new URL(`src/${path}`, import.meta.url));

/** `npm test` needs nothing but Node and is quick; the others have commands of their own. */
const suites = {
  browser: { include: ["test/browser/**/*.test.ts"] },
  chaos: { include: ["test/chaos/**/*.test.ts"] },
  queues: { include: ["test/contract/**/*.test.ts", "test/{azure,aws}/{background,queue,worker}.test.ts"] },
  quick: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/{browser,chaos,contract}/**", "test/{azure,aws}/{background,queue,worker}.test.ts"],
  },
};
const { SUITE, CHAOS, QUEUES } = process.env;
const suite =
  SUITE === "browser" ? SUITE : CHAOS !== undefined ? "chaos" : QUEUES !== undefined ? "queues" : "quick";

export default defineConfig({
  resolve: {
    // The package by its own name, as a user's app imports it, but from source.
    alias: [
      { find: /^langgraph-functions$/, replacement: source("index.ts") },
      { find: /^langgraph-functions\/(azure|aws|local)$/, replacement: source("$1/index.ts") },
    ],
  },
  test: {
    ...suites[suite],
    globalSetup: ["test/support/postgres.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: "forks",
    isolate: suite === "chaos", // elsewhere the libraries are loaded once a worker, not once a file
    maxWorkers: "200%", // the tests wait for databases and processes half of the time
    globals: true, // for @langchain/langgraph-checkpoint-validation, which looks for them; our own tests import
  },
});
