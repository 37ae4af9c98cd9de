import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string) => fileURLToPath(new URL(`src/${path}`, import.meta.url));

export default defineConfig({
  resolve: {
    // The package by its own name, as a user's app imports it, but from source.
    alias: [
      { find: /^langgraph-functions$/, replacement: source("index.ts") },
      { find: /^langgraph-functions\/(azure|aws|local)$/, replacement: source("$1/index.ts") },
    ],
  },
  test: {
    // What kills processes and restarts databases takes longer: `npm run test:chaos`.
    include: process.env["CHAOS"] === undefined ? ["test/**/*.test.ts"] : ["test/chaos/**/*.test.ts"],
    exclude: process.env["CHAOS"] === undefined ? ["test/chaos/**"] : [],
    globalSetup: ["test/support/postgres.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: "forks",
    maxWorkers: "100%", // the tests wait for a database most of the time
    globals: true, // for @langchain/langgraph-checkpoint-validation, which looks for them; our own tests import
  },
});
