/** Who may see which assistants, and what a deployment sets for them. */

import { expect, test, vi } from "vitest";
import { counter, reporting, shout } from "../support/graphs.ts";
import { clientOf } from "../support/sdk.ts";
import { startServer } from "../support/server.ts";

const config = { configurable: { tone: "loud" }, recursionLimit: 7 };
const graphs = [
  { name: "agent", graph: shout, config },
  { name: "counter", graph: counter },
];

test("a graph that asks for a higher key keeps its assistants from callers without", async () => {
  await using server = await startServer({
    graphs: [...graphs, { name: "secret", graph: shout, authLevel: "admin" as const }],
    local: { keys: { function: "function-key", admin: "admin-key" } },
  });
  const send = async (key: string, method: string, path: string, body?: object) =>
    server.get(path, {
      method,
      headers: { "content-type": "application/json", "x-functions-key": key },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  expect((await send("admin-key", "POST", "/assistants/count", {})).body).toBe(3);
  expect((await send("function-key", "POST", "/assistants/count", {})).body).toBe(2);
  expect((await send("function-key", "POST", "/assistants/search", {})).text).not.toContain("secret");
  expect((await send("admin-key", "GET", "/assistants/secret")).status).toBe(200);
  for (const [method, path, body] of [
    ["GET", "/assistants/secret"],
    ["PATCH", "/assistants/secret", {}],
    ["DELETE", "/assistants/secret"],
    ["GET", "/assistants/secret/schemas"],
    ["POST", "/assistants", { graph_id: "secret" }],
    ["PATCH", "/assistants/agent", { graph_id: "secret" }],
    ["POST", "/runs/wait", { assistant_id: "secret", input: {} }],
  ] as const) {
    const { status } = await send("function-key", method, path, body);
    expect([method, path, status]).toEqual([method, path, 403]);
  }
});

test("a deployment's LANGGRAPH_CONFIG sets defaults, over what is registered", async () => {
  vi.stubEnv(
    "LANGGRAPH_CONFIG",
    JSON.stringify({ agent: { configurable: { model: "m" }, context: { user: "ada" } } }),
  );
  await using server = await startServer({ graphs });
  vi.unstubAllEnvs();
  expect(await clientOf(server).assistants.get("agent")).toMatchObject({
    config: { configurable: { tone: "loud", model: "m" }, recursion_limit: 7 },
    context: { user: "ada" },
  });
});

test("runs have what LANGGRAPH_CONFIG sets, through both APIs", async () => {
  const defaults = { reporting: { configurable: { model: "m" }, context: { user: "ada" } } };
  vi.stubEnv("LANGGRAPH_CONFIG", JSON.stringify(defaults));
  await using server = await startServer({ graphs: [{ name: "reporting", graph: reporting }] });
  vi.unstubAllEnvs();
  const report = { report: { configurable: { model: "m" }, context: { user: "ada" } } };
  const input = { text: "a" };
  expect(await clientOf(server).runs.wait(null, "reporting", { input })).toMatchObject(report);
  const { body } = await server.post("/graphs/reporting/invoke", { input });
  expect(body).toMatchObject({ output: report });
});

test.for([
  ["not JSON", "{", "LANGGRAPH_CONFIG: must be JSON"],
  ["a field that does not exist", '{"agent":{"colour":1}}', "LANGGRAPH_CONFIG.agent: "],
  [
    "a graph that is not registered",
    '{"other":{}}',
    'there is no graph "other"; there are "agent", "counter"',
  ],
] as const)("a LANGGRAPH_CONFIG with %s is refused at the start", async ([, text, problem]) => {
  vi.stubEnv("LANGGRAPH_CONFIG", text);
  const starting = startServer({ graphs });
  await expect(starting).rejects.toThrow(problem);
  vi.unstubAllEnvs();
});
