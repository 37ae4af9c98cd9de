import { rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { testDatabase } from "../support/database.ts";
import { clientOf } from "../support/sdk.ts";
import { graphSource, launchDev, printed, startDev, testProject } from "./cli.ts";

const input = { text: "a" };

describe("a project of ten graphs of different kinds", () => {
  test("is served as it is, to the official client", async () => {
    await using database = await testDatabase();
    await using project = await testProject("ten");
    const env = { DATABASE_URL: database.url, OVERRIDDEN: "by the environment" };
    await using program = await startDev({ folder: project, env });
    const client = clientOf(program);
    const outputs: Record<string, unknown> = {};
    const graphs = ["annotation", "zod", "state_schema", "builder", "promise", "plain", "alias", "common"];
    for (const graph of graphs) outputs[graph] = await client.runs.wait(null, graph, { input });
    const config = { configurable: { suffix: "!" } };
    outputs["factory"] = await client.runs.wait(null, "factory", { input, config });
    const agent = { messages: [{ role: "user", content: "Hi." }] };
    outputs["agent"] = await client.runs.wait(null, "agent", { input: agent });
    expect(outputs).toMatchObject({
      annotation: { text: "A from the file by the environment" }, // of .env, and of what goes over it
      zod: { text: "A" },
      state_schema: { text: "A" },
      builder: { text: "A" },
      promise: { text: "A" },
      plain: { text: "A" },
      alias: { text: "A A" },
      common: { text: "A" },
      factory: { text: "A! threads.create_run" },
      agent: { messages: [{ content: "Hi." }, { content: "Hello." }] },
    });

    expect(program.output()).toContain(`documentation    ${program.url}/docs`);
    expect(program.output()).toContain("A state schema");
    expect(program.output()).toMatch(/without effect here.*: node_version, dependencies, dockerfile_lines\n/);

    const { thread_id } = await client.threads.create();
    await client.runs.wait(thread_id, "annotation", { input }); // compiled with a checkpointer in memory
    const rows = await database.query("select 1 from checkpoints where thread_id = $1", [thread_id]);
    expect(rows.length).toBeGreaterThan(0);

    const origin = "https://shop.example";
    const hello = await fetch(`${program.url}/hello/ada`, { headers: { origin } });
    expect(await hello.json()).toEqual({ hello: "ada" });
    expect(hello.headers.get("access-control-allow-origin")).toBe(origin);
    const health = await fetch(`${program.url}/health`);
    expect(health.headers.get("x-seen-by")).toBe("middleware");
  });
});

const one = { graphs: { one: "./src/one.ts:graph", two: "./src/two.ts:graph" } };

describe("a change of a file", { timeout: 120_000 }, () => {
  test("is taken up, on the same port, with the state of the threads", async () => {
    await using database = await testDatabase();
    await using project = await testProject();
    await project.write({
      "langgraph.json": one,
      "src/one.ts": graphSource(`({ text }) => ({ text: text + " before" })`),
      "src/two.ts": graphSource(`({ text }) => ({ text })`),
    });
    await using program = await startDev({ folder: project, env: { DATABASE_URL: database.url } });
    const client = clientOf(program);
    const { thread_id } = await client.threads.create();
    expect(await client.runs.wait(thread_id, "one", { input })).toEqual({ text: "a before" });
    await project.write({ "src/one.ts": graphSource(`({ text }) => ({ text: text + " after" })`) });
    await printed(program, /Serving again/);
    expect(await client.threads.getState(thread_id)).toMatchObject({ values: { text: "a before" } });
    expect(await client.runs.wait(thread_id, "one", { input })).toEqual({ text: "a after" });
  });

  test("that breaks a graph is told with file and line, the others are served, and it can be mended", async () => {
    await using database = await testDatabase();
    await using project = await testProject();
    await project.write({
      "langgraph.json": one,
      "src/one.ts": `const broken: number = ;\n`,
      "src/two.ts": graphSource(`({ text }) => ({ text: text + "!" })`),
    });
    await using program = await startDev({ folder: project, env: { DATABASE_URL: database.url } });
    await printed(program, /the graph "one" cannot be loaded: [^]*src\/one\.ts:1:23/);
    const client = clientOf(program);
    expect(await client.runs.wait(null, "two", { input })).toEqual({ text: "a!" });
    await project.write({ "src/one.ts": `const missing: any = undefined;\nmissing.name;\n` });
    await printed(program, /the graph "one" cannot be loaded: src\/one\.ts:2: Cannot read properties/);
    await project.write({ "src/one.ts": `export const other = 1;\n` });
    await printed(program, `./src/one.ts has no export "graph"; it exports other.`);
    await project.write({ "src/one.ts": graphSource(`() => ({ text: "mended" })`) });
    await printed(program, /(Serving again[^]*){3}/);
    expect(await client.runs.wait(null, "one", { input })).toEqual({ text: "mended" });
  });

  test("that breaks langgraph.json is told, and it can be mended", async () => {
    await using database = await testDatabase();
    await using project = await testProject();
    const text = graphSource(`({ text }) => ({ text })`);
    await project.write({ "langgraph.json": one, "src/one.ts": text, "src/two.ts": text });
    await using program = await startDev({ folder: project, env: { DATABASE_URL: database.url } });
    await project.write({ "langgraph.json": { ...one, grahps: {} } });
    await printed(program, "grahps is not known");
    const http = { mount_prefix: "/agents", disable_threads: true };
    await project.write({ "langgraph.json": { graphs: { three: "./src/one.ts:graph" }, http } });
    await printed(program, /Serving again/);
    const url = new URL("/agents", program.url).href;
    expect(await clientOf({ url }).runs.wait(null, "three", { input })).toEqual(input);
    await expect(clientOf({ url }).threads.create()).rejects.toThrow(
      "There is nothing at POST /agents/threads",
    );
  });
});

test("custom routes that cannot be loaded keep everything closed until they are mended", async () => {
  await using database = await testDatabase();
  await using project = await testProject("ten");
  await project.write({ "src/app.ts": `throw new Error("no routes");\n` });
  await using program = launchDev({ folder: project, env: { DATABASE_URL: database.url } });
  await printed(program, "http.app cannot be loaded: src/app.ts:1: no routes");
  await printed(program, "Waiting for a change");
  expect(program.output()).not.toContain("Serving on");
  await project.write({ "src/app.ts": `export const app = { fetch: () => new Response("mended") };\n` });
  await program.serving();
});

test("it stops with its embedded Postgres, and leaves the data", async () => {
  await using project = await testProject("ten");
  await using program = await startDev({ folder: project, args: ["--no-reload"] });
  const client = clientOf(program);
  const { thread_id } = await client.threads.create();
  program.kill("SIGINT");
  expect(await program.exit).toBe(0);
  expect(await project.postgres()).toBeUndefined();
  await using again = await startDev({ folder: project });
  expect(await clientOf(again).threads.get(thread_id)).toMatchObject({ thread_id });
  again.kill("SIGTERM");
  expect(await again.exit).toBe(0);
  await rm(join(project.path, ".langgraph-functions"), { recursive: true });
});
