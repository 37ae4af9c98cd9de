import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildApp, type BuiltApp } from "../support/build.ts";
import { type Lambda, startLambda } from "../support/lambda/lambda.ts";

let app: BuiltApp;
let lambda: Lambda;

beforeAll(async () => {
  app = await buildApp(path.join(import.meta.dirname, "fixtures/edges.ts"));
});
afterAll(() => app[Symbol.asyncDispose]());

async function levelOf(key: string | undefined, query = ""): Promise<string> {
  const headers: Record<string, string> = key === undefined ? {} : { "x-functions-key": key };
  const response = await fetch(`${lambda.url}/api/echo${query}`, { headers });
  return (await response.json()).authLevel;
}

describe("with both keys", () => {
  beforeAll(async () => {
    const env = { FUNCTION_KEY: "function-key", ADMIN_KEY: "admin-key" };
    lambda = await startLambda({ entry: app.entry, handler: "http", env });
  });
  afterAll(() => lambda[Symbol.asyncDispose]());

  test.each([
    [undefined, "anonymous"],
    ["wrong", "anonymous"],
    ["", "anonymous"],
    ["function-key", "function"],
    ["admin-key", "admin"],
  ])("the key %j opens the level %s", async (key, level) => {
    expect(await levelOf(key)).toBe(level);
  });

  test("a key may be in the query", async () => {
    expect(await levelOf(undefined, "?code=admin-key")).toBe("admin");
  });
});

describe("without keys", () => {
  beforeAll(async () => {
    lambda = await startLambda({
      entry: app.entry,
      handler: "http",
      env: { FUNCTION_KEY: "", ADMIN_KEY: "" },
    });
  });
  afterAll(() => lambda[Symbol.asyncDispose]());

  test.each([[undefined], [""], ["undefined"], ["any"]])("the key %j opens nothing", async (key) => {
    expect(await levelOf(key)).toBe("anonymous");
  });
});
