import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Client } from "@langchain/langgraph-sdk";
import { expect, test } from "vitest";
import { startAzureHost } from "../support/azure-host/host.ts";
import { testDatabase } from "../support/database.ts";
import { startLambda } from "../support/lambda/lambda.ts";
import { cli, graphSource, testProject } from "./cli.ts";

const request = (graph: string, key: string): [string, RequestInit] => [
  `graphs/${graph}/invoke`,
  {
    method: "POST",
    headers: { "content-type": "application/json", "x-functions-key": key },
    body: JSON.stringify({ input: { text: "a" } }),
  },
];
const preflight = {
  method: "OPTIONS",
  headers: { origin: "https://shop.example", "access-control-request-method": "POST" },
};
const graphs = [
  "annotation",
  "zod",
  "state_schema",
  "builder",
  "promise",
  "factory",
  "plain",
  "alias",
  "common",
];

test("ten graphs of different kinds run on Lambda, with the project's own routes behind the key", async () => {
  await using database = await testDatabase();
  await using project = await testProject("ten");
  const built = await cli({ folder: project, args: ["build", "--target", "lambda", "--out", "out"] });
  expect(built.code, built.output).toBe(0);
  expect(built.output).toContain("to be set where it runs: GREETING, OVERRIDDEN");
  expect(built.output).toMatch(/for lambda: \d\.\d MB \(\d\.\d MB zipped\), and/);
  expect(await readdir(join(project.path, "out"))).not.toContain("node_modules");
  const env = { DATABASE_URL: database.url, FUNCTION_KEY: "key" };
  await using lambda = await startLambda({
    entry: join(project.path, "out/lambda.js"),
    handler: "http",
    env,
  });
  for (const graph of graphs) {
    const [path, init] = request(graph, "key");
    const answer = await fetch(`${lambda.url}/api/${path}`, init);
    expect(await answer.text()).toMatch(/^\{"output":\{"text":"A/);
  }
  expect((await fetch(`${lambda.url}/api/hello/ada`)).status).toBe(401);
  const hello = await fetch(`${lambda.url}/api/hello/ada`, { headers: { "x-functions-key": "key" } });
  expect(await hello.json()).toEqual({ hello: "ada" });
});

test("on Azure, preflights of other origins pass the host without a key", async () => {
  await using database = await testDatabase();
  await using project = await testProject("ten");
  const built = await cli({ folder: project, args: ["build", "--target", "azure", "--out", "out"] });
  expect(built.code, built.output).toBe(0);
  const keys = { function: "key", admin: "admin" };
  const entry = join(project.path, "out/azure.js");
  await using host = await startAzureHost({ entry, env: { DATABASE_URL: database.url }, keys });
  for (const path of ["graphs/zod/invoke", "threads", "hello/ada"]) {
    const answer = await fetch(`${host.url}/${path}`, preflight);
    expect(answer.status).toBe(204);
    expect(answer.headers.get("access-control-allow-origin")).toBe("https://shop.example");
  }
  expect((await fetch(`${host.url}/hello/ada`)).status).toBe(401);
  const [path, init] = request("zod", "key");
  expect(await (await fetch(`${host.url}/${path}`, init)).json()).toEqual({ output: { text: "A" } });
});

test("the project's options are in the bundle, and its secrets are not", async () => {
  await using database = await testDatabase();
  await using project = await testProject();
  await project.write({
    "src/agent.ts": graphSource(`({ text }) => ({ text })`),
    "src/embed.ts": "export const embed = async (texts: string[]) => texts.map(() => [1]);\n",
    ".env": "LG_WEBHOOK_KEY=not-to-be-bundled\n",
    "langgraph.json": {
      graphs: { agent: "./src/agent.ts:graph" },
      env: ".env",
      store: { index: { dims: 2, embed: "./src/embed.ts:embed" }, ttl: { default_ttl: 10 } },
      checkpointer: { ttl: { default_ttl: 30 } },
      webhooks: {
        headers: { authorization: "${{ env.LG_WEBHOOK_KEY }} ${{ env.LG_WEBHOOK_OTHER }}" },
        url: { require_https: true },
      },
    },
  });
  const built = await cli({ folder: project, args: ["build", "--target", "lambda", "--out", "out"] });
  expect(built.code, built.output).toBe(0);
  expect(built.output).toContain("to be set where it runs: LG_WEBHOOK_KEY, LG_WEBHOOK_OTHER");
  const entry = join(project.path, "out/lambda.js");
  expect(await readFile(entry, "utf8")).not.toContain("not-to-be-bundled");
  const env = { DATABASE_URL: database.url, FUNCTION_KEY: "key", LG_WEBHOOK_KEY: "a", LG_WEBHOOK_OTHER: "b" };
  await using lambda = await startLambda({ entry, handler: "http", env });
  const { threads, runs, store } = new Client({
    apiUrl: `${lambda.url}/api`,
    defaultHeaders: { "x-functions-key": "key" },
  });
  const { thread_id } = await threads.create();
  expect(await threads.get(thread_id, { include: ["ttl"] })).toMatchObject({ ttl: { ttl_minutes: 30 } });
  await expect(
    runs.stream(null, "agent", { input: {}, webhook: "http://a.example/" }).next(),
  ).rejects.toThrow("expected an https URL");
  await expect(store.searchItems([], { query: "a" })).rejects.toThrow("The embedding function failed");
});
