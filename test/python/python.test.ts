/** The official Python client, of PyPI, against ours: its tests are beside this file, for pytest. */

import { execFile } from "node:child_process";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Annotation, START, StateGraph } from "@langchain/langgraph";
import { expect, test } from "vitest";
import { abortable, asking, counter, failing, reporting, shout, typed } from "../support/graphs.ts";
import { installPackages } from "../support/python.ts";
import { startServer } from "../support/server.ts";
import { nested, talking } from "../support/streaming-graphs.ts";

const run = promisify(execFile);
const here = fileURLToPath(new URL(".", import.meta.url));
/** Long enough for an answer to begin before the run ends. */
const slow = new StateGraph(Annotation.Root({ text: Annotation<string>() }))
  .addNode("slow", async ({ text }) => delay(1_500, { text: `${text}, slowly` }))
  .addEdge(START, "slow")
  .compile();
const graphs = Object.entries({
  abortable: abortable().graph,
  asking,
  counter,
  failing,
  nested,
  reporting,
  shout,
  slow,
  talking: talking("Hello"),
  typed,
}).map(([name, graph]) => ({ name, graph }));

test("the official Python client does all that it can", { timeout: 600_000 }, async () => {
  const python = join(await installPackages(join(here, "requirements.txt")), "python");
  await using server = await startServer({ graphs, webhooks: { allowPrivateAddresses: true } });
  await using guarded = await startServer({
    graphs: [{ name: "guarded", graph: shout, authLevel: "admin" }],
    rateLimit: { requests: 2, perSeconds: 3_600 },
    local: { keys: { function: "function-key", admin: "admin-key" } },
  });
  const { stdout } = await pytest(python, { LANGGRAPH_URL: server.url, GUARDED_URL: guarded.url });
  expect(stdout).toMatch(/\d+ passed/);
  expect(stdout).not.toMatch(/skipped|xfailed|no tests ran/);
});

async function pytest(python: string, servers: NodeJS.ProcessEnv): Promise<{ readonly stdout: string }> {
  const env = { ...process.env, ...servers, PYTHONDONTWRITEBYTECODE: "1" };
  try {
    return await run(python, ["-m", "pytest", "-q", "-p", "no:cacheprovider", here], { env });
  } catch (error) {
    const output = error instanceof Error && "stdout" in error ? String(error.stdout) : "";
    throw new Error(`pytest failed:\n${output}`, { cause: error });
  }
}
