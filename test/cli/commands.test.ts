import { afterAll, describe, expect, test } from "vitest";
import { testFolder } from "../support/program.ts";
import { listenAnywhere } from "../local/network.ts";
import { cli, testProject } from "./cli.ts";

const empty = await testFolder();
const project = await testProject();
afterAll(async () => {
  await empty[Symbol.asyncDispose]();
  await project[Symbol.asyncDispose]();
});

/** Never reached: what is wrong is told before. */
const env = { DATABASE_URL: "postgres://127.0.0.1:1/none" };

describe("help", () => {
  test.for([
    [[], ["dev", "build", "migrate", "reencrypt", "init"]],
    [["--help"], ["dev", "build", "migrate", "reencrypt", "init"]],
    [
      ["dev", "--help"],
      ["--config", "--port", "--host", "--database-url", "--no-reload"],
    ],
    [
      ["build", "-h"],
      ["--target", "--out", "--external"],
    ],
    [
      ["migrate", "--help"],
      ["--dry-run", "--database-url"],
    ],
    [
      ["reencrypt", "--help"],
      ["--dry-run", "--database-url", "ENCRYPTION_KEYS"],
    ],
    [["init", "--help"], ["[folder]"]],
    [
      ["status", "--help"],
      ["--url", "--key", "--json"],
    ],
  ] as const)("of %j", async ([args, words]) => {
    const { code, output } = await cli({ folder: empty, args });
    expect(code).toBe(0);
    for (const word of words) expect(output).toContain(word);
  });

  test("--version tells the version alone", async () => {
    expect(await cli({ folder: empty, args: ["--version"] })).toMatchObject({
      code: 0,
      output: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
  });
});

describe("a command line that is wrong ends with 2", () => {
  test.for([
    [["serve"], 'There is no command "serve"'],
    [["dev", "--prot", "1"], "Unknown option '--prot'"],
    [["dev", "folder"], "Unexpected argument 'folder'"],
    [["build"], "--target must be one of azure, lambda"],
    [["build", "--target", "gcp"], "--target must be one of azure, lambda"],
    [["init", "a", "b"], "init takes one folder"],
    [["status"], "--url must be where the server is"],
    [["status", "--url", "agents.example.com"], "--url must be where the server is"],
  ] as const)("%j", async ([args, message]) => {
    const { code, output } = await cli({ folder: empty, args });
    expect(code).toBe(2);
    expect(output).toContain(message);
    expect(output).toMatch(/--help" lists/);
  });
});

test("a folder without a project is told what to do", async () => {
  const { code, output } = await cli({ folder: empty, args: ["dev"], env });
  expect(code).toBe(1);
  expect(output).toMatch(/^error There is no langgraph\.json and no functions\/app\.ts here\. .*init/);
});

describe("a langgraph.json that cannot be served is refused, and what is wrong in it named", () => {
  const graphs = { agent: "./src/agent.ts:graph" };
  test.for([
    [{}, "graphs: Invalid input"],
    [{ graphs: {} }, "graphs: must name at least one graph"],
    [{ graphs: { agent: "./src/agent.ts" } }, 'graphs.agent: must be like "./src/agent.ts:graph"'],
    [{ graphs: { agent: "./agent.py:graph" } }, "./agent.py: code in Python cannot be served here"],
    [{ graphs, grahps: 1, http: { crs: {} } }, "grahps is not known"],
    [{ graphs, http: { crs: {} } }, "http.crs is not known"],
    [{ graphs, auth: { path: "./auth.py:auth" } }, "./auth.py: code in Python cannot be served here"],
    [{ graphs, auth: { path: "./auth.ts:auth", cache: { ttl_seconds: 1 } } }, "auth.cache: is not supported"],
    [{ graphs, encryption: { path: "./e.ts:e" } }, "encryption: is not supported"],
    [
      { graphs, http: { middleware_order: "middleware_first" } },
      'http.middleware_order: must be "auth_first"',
    ],
    [{ graphs, http: { enable_custom_route_auth: false } }, "http.enable_custom_route_auth: must be true"],
    [{ graphs, env: ".env.missing" }, "There is no file .env.missing"],
    ["{ graphs: }", "langgraph.json is not JSON"],
  ] as const)("%j", async ([config, message]) => {
    await project.write({ "langgraph.json": config });
    const { code, output } = await cli({ folder: project, args: ["dev"], env });
    expect(code).toBe(1);
    expect(output).toContain(message);
    expect(output).not.toMatch(/ at .+:\d+:\d+/);
  });

  test("options of the app that are wrong as well", async () => {
    const cors = { allow_origins: ["*"], allow_credentials: true };
    await project.write({ "other.json": { graphs, http: { cors } } });
    const { code, output } = await cli({
      folder: project,
      args: ["dev", "--no-reload", "--config", "other.json"],
      env,
    });
    expect(code).toBe(1);
    expect(output).toContain("cors: allowCredentials needs origins that are named");
  });

  test("--verbose shows where the error comes from", async () => {
    await project.write({ "langgraph.json": {} });
    const { output } = await cli({ folder: project, args: ["dev", "--verbose"], env });
    expect(output).toMatch(/ at .+:\d+:\d+/);
  });
});

test("a taken port is named", async () => {
  await using taken = await listenAnywhere();
  await project.write({
    "langgraph.json": { graphs: { agent: "./agent.js:graph" } },
    "agent.js": "export const graph = 1;\n",
  });
  const args = ["dev", "--port", String(taken.port)];
  const { code, output } = await cli({ folder: project, args, env });
  expect(code).toBe(1);
  expect(output).toContain(`Port ${taken.port} is taken`);
});

test("a colour is for terminals", async () => {
  const { output } = await cli({ folder: empty, args: ["dev"], env: { ...env, FORCE_COLOR: "1" } });
  expect(output).not.toContain("\u001B[");
});
