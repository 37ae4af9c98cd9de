/** Schemathesis, of PyPI, reads our OpenAPI document and looks whether the server keeps what it says. */

import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inspect, promisify } from "node:util";
import { expect, test } from "vitest";
import { ApprovalInput, ChatInput, DigestInput } from "../../functions/inputs.ts";
import { counter, echo } from "../support/graphs.ts";
import { installPackages } from "../support/python.ts";
import { startServer } from "../support/server.ts";
import { cuttingProxy } from "./cutting-proxy.ts";

const run = promisify(execFile);
const here = fileURLToPath(new URL(".", import.meta.url));

/** The examples, and two that take anything. */
const graphs = [
  { name: "chat", graph: async () => import("../../functions/graphs/chat.ts"), inputSchema: ChatInput },
  {
    name: "approval",
    graph: async () => import("../../functions/graphs/approval.ts"),
    inputSchema: ApprovalInput,
  },
  { name: "digest", graph: async () => import("../../functions/graphs/digest.ts"), inputSchema: DigestInput },
  { name: "counter", graph: counter },
  { name: "echo", graph: echo },
];

const CHECKS = [
  "not_a_server_error",
  "status_code_conformance",
  "content_type_conformance",
  "response_schema_conformance",
  "response_headers_conformance",
  "negative_data_rejection",
  "unsupported_method",
  "allow_header_conformance",
];

/** Change it to look elsewhere: `SEED=7 npm run test:schemathesis`. */
const { SEED = "20261121", EXAMPLES = "20" } = process.env;

test(
  "no answer is a server error, or one that the document does not describe",
  { timeout: 1_200_000 },
  async () => {
    const programs = await installPackages(join(here, "requirements.txt"));
    await using server = await startServer({ graphs });
    await using proxy = await cuttingProxy(server.url);
    const env = {
      ...process.env,
      SCHEMATHESIS_HOOKS: "hooks",
      PYTHONPATH: here,
      PYTHONDONTWRITEBYTECODE: "1",
    };
    const options = [
      `--checks=${CHECKS.join(",")}`,
      "--phases=examples,coverage,fuzzing",
      `--max-examples=${EXAMPLES}`,
      `--seed=${SEED}`,
      `--url=${proxy.url}`,
      "--request-timeout=30",
      "--suppress-health-check=all",
      "--generation-database=none",
      "--no-color",
    ];
    const { stdout } = await run(join(programs, "st"), ["run", ...options, `${proxy.url}/openapi.json`], {
      env,
      maxBuffer: 100_000_000,
    }).catch((error: unknown) => {
      const printed = error instanceof Error && "stdout" in error ? error.stdout : error;
      throw new Error(`${String(printed)}\nThe server's log: ${inspect(server.errors, { depth: 8 })}`); // the cause would say it all once more
    });
    expect(stdout).toMatch(/\d+ generated, \d+ passed/);
    expect(server.errors).toEqual([]);
  },
);
