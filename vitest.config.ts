import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string) => fileURLToPath(new URL(`src/${path}`, import.meta.url));

/** `npm test` is the quick one, which needs nothing but Node; the others have commands of their own. */
const suites = {
  quick: ["test/**/*.test.ts"],
  access: ["test/access/**/*.test.ts"],
  hosts: [
    "test/contract/**/*.test.ts",
    "test/{azure,aws}/{app,background,buffered,built,entry,guarded,leaving,queue,sandbox,telemetry,thaw,tracing,worker}.test.ts",
  ],
  chaos: ["test/chaos/**/*.test.ts"],
  pgvector: ["test/pgvector/**/*.test.ts"],
  conformance: ["test/conformance/**/*.test.ts"],
  python: ["test/python/**/*.test.ts"],
  cli: ["test/{cli,local}/**/*.test.ts"],
  clients: ["test/{agents,sdk}/**/*.test.ts", "test/http/{protocol*,coming-back}.test.ts"],
  browser: ["test/browser/**/*.test.ts"],
  fuzz: ["test/fuzz/**/*.test.ts"],
  schemathesis: ["test/schemathesis/**/*.test.ts"],
  infra: ["test/infra/**/*.test.ts"], // by tools; what Node alone can say of infra/ is quick: test/infra-checks
};
const { SUITE: suite = "quick" } = process.env;
const { quick, ...others } = suites;
/** By way of a pooler: what other suites test of the engine, once more, and what is about the database itself. */
const pooled = [
  "test/{contract,core,database,engine,http,pgbouncer,postgres}/**/*.test.ts",
  "test/chaos/{cancel,crons,deadline,fence,journal,log,migrations,protocol,saving,takeover,ticks,unavailable}.test.ts",
];
const withoutDatabase = ["test/http/{cors,docs,features,fuzz,headers,openapi}.test.ts"];
const onlyPooled = ["test/pgbouncer/**", "test/database/{entra,failover,rds-iam}.test.ts"];
if (suite === "pgbouncer") process.env["POOLER"] = "pgbouncer";

export default defineConfig({
  resolve: {
    // The package by its own name, as a user's app imports it, but from source.
    alias: [
      { find: /^langgraph-functions$/, replacement: source("index.ts") },
      { find: /^langgraph-functions\/(azure|aws|local|node|project)$/, replacement: source("$1/index.ts") },
    ],
  },
  test: {
    include: Object.entries({ ...others, pgbouncer: pooled }).find(([name]) => name === suite)?.[1] ?? quick,
    exclude: [
      ...(suite === "quick" ? [...onlyPooled, ...Object.values(others).flat()] : []),
      ...(suite === "pgbouncer" ? withoutDatabase : []),
    ],
    globalSetup: ["test/support/postgres.ts"],
    testTimeout: suite === "chaos" || suite === "pgbouncer" ? 240_000 : 60_000, // of its many processes, machines may have too few processors
    hookTimeout: 60_000,
    pool: "forks",
    isolate: suite === "chaos", // elsewhere the libraries are loaded once a worker, not once a file
    maxWorkers: 2 * availableParallelism(), // the tests wait for databases and processes half of the time
    globals: true, // for @langchain/langgraph-checkpoint-validation, which looks for them; our own tests import
  },
});
