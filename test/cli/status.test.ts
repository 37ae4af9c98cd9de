import { afterAll, beforeAll, expect, test } from "vitest";
import type { AppOptions } from "langgraph-functions";
import { testFolder, type TestFolder } from "../support/program.ts";
import { shout } from "../support/graphs.ts";
import { startServer } from "../support/server.ts";
import { cli } from "./cli.ts";

let folder: TestFolder;
beforeAll(async () => {
  folder = await testFolder();
});
afterAll(() => folder[Symbol.asyncDispose]());

const start = async (checks: AppOptions["checks"] = {}) =>
  startServer({
    graphs: [{ name: "shout", graph: shout }],
    checks,
    local: { keys: { function: "function-key" } },
  });

test("status shows a server that is well, and ends with 0", async () => {
  await using server = await start({ model: () => true, cache: { check: () => false, isRequired: false } });
  const args = ["status", "--url", `${server.url}/`, "--key", "function-key"];
  const { code, output } = await cli({ folder, args });
  expect(code).toBe(0);
  expect(output).toMatch(
    /^degraded  langgraph-functions \S+\ndatabase  ok        +\d+ ms\nqueue     ok        +\d+ ms  0 messages\n/,
  );
  expect(output).toMatch(
    /\nmodel     ok        +\d+ ms\ncache     down      +\d+ ms  optional, It says that it is/,
  );
  expect(output).toMatch(/\nruns      0 waiting, 0 running\n$/);
});

test("status ends with 1 for a server that is down, and shows the answer as it is with --json", async () => {
  await using server = await start({ model: () => false });
  const args = ["status", "--url", server.url, "--json"];
  const { code, output } = await cli({ folder, args, env: { FUNCTION_KEY: "function-key" } });
  expect([code, JSON.parse(output)]).toMatchObject([
    1,
    { status: "down", checks: { model: { status: "down" } } },
  ]);
});

test("status says what to do without a key, and where there is no server of ours", async () => {
  await using server = await start();
  expect(await cli({ folder, args: ["status", "--url", server.url] })).toMatchObject({
    code: 1,
    output: expect.stringContaining("give one with --key, or as FUNCTION_KEY"),
  });
  expect(await cli({ folder, args: ["status", "--url", "http://127.0.0.1:1/api"] })).toMatchObject({
    code: 1,
    output: "error http://127.0.0.1:1/api does not answer.\n",
  });
  expect(
    await cli({ folder, args: ["status", "--url", `${server.url}/docs`, "--key", "function-key"] }),
  ).toMatchObject({
    code: 1,
    output: expect.stringContaining("does not answer as a server of langgraph-functions does"),
  });
});
