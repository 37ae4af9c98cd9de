/** Schemathesis, of PyPI, reads our OpenAPI document and looks whether the server keeps what it says. */

import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inspect, promisify } from "node:util";
import { expect, test } from "vitest";
import { z } from "zod";
import { ApprovalInput, ChatInput, DigestInput } from "../../functions/inputs.ts";
import { counter, echo } from "../support/graphs.ts";
import { installPackages } from "../support/python.ts";
import { startServer, type TestServer } from "../support/server.ts";
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
      KNOWN_THINGS: JSON.stringify(await makeThings(server)),
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
      cwd: tmpdir(), // where it leaves its notes
      maxBuffer: 100_000_000,
    }).catch((error: unknown) => {
      const printed = error instanceof Error && "stdout" in error ? error.stdout : error;
      throw new Error(`${String(printed)}\nThe server's log: ${inspect(server.errors, { depth: 8 })}`); // the cause would say it all once more
    });
    expect(stdout).toMatch(/\d+ generated, \d+ passed/);
    expect(server.errors).toEqual([]);
  },
);

/** By the names that fields and parameters call them. */
async function makeThings(server: TestServer): Promise<Readonly<Record<string, readonly string[]>>> {
  const made = async (path: string, body: object, name: string): Promise<string> => {
    const answer = await server.post(path, body);
    return z
      .record(z.string(), z.unknown())
      .transform((fields) => String(fields[name]))
      .parse(answer.body);
  };
  const things: Record<string, string[]> = { thread_id: [], run_id: [], cron_id: [], checkpoint_id: [] };
  const input = { input: { text: "a" } };
  for (let count = 0; count < 3; count += 1) {
    const thread = await made("/threads", {}, "thread_id");
    const run = await made(`/threads/${thread}/runs`, { assistant_id: "echo", ...input }, "run_id");
    await server.get(`/threads/${thread}/runs/${run}/join`);
    const state = await server.get(`/threads/${thread}/state`);
    const { checkpoint } = z
      .object({ checkpoint: z.object({ checkpoint_id: z.string() }) })
      .parse(state.body);
    things["thread_id"]?.push(thread);
    things["run_id"]?.push(run);
    things["checkpoint_id"]?.push(checkpoint.checkpoint_id);
    const cron = { assistant_id: "echo", schedule: "0 0 1 1 *", ...input };
    things["cron_id"]?.push(await made("/runs/crons", cron, "cron_id"));
  }
  return { ...things, assistant_id: ["echo", "counter", "approval"], graph_id: ["echo", "counter"] };
}
