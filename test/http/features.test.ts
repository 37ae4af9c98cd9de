import { expect, test } from "vitest";
import { LangGraphApp, type AppOptions } from "langgraph-functions";
import { shout } from "../support/graphs.ts";
import { startServer } from "../support/server.ts";

const id = "5bc3f2d0-0000-4000-8000-000000000000";

/** Which paths of the API are there, by one of each part. */
async function served(disable: AppOptions["disable"]): Promise<readonly string[]> {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }], disable });
  const paths = ["/threads/search", `/threads/${id}/runs`, "/runs/wait", "/docs", "/openapi.json", "/health"];
  const found = paths.map(async (path) => {
    const { body } = await server.get(path, { method: path.startsWith("/d") ? "GET" : "PATCH" });
    return JSON.stringify(body ?? "").includes("There is nothing at") ? [] : [path];
  });
  return (await Promise.all(found)).flat();
}

test("everything is served by default", async () => {
  expect(await served(undefined)).toHaveLength(6);
});

test.for<[NonNullable<AppOptions["disable"]>, readonly string[]]>([
  [["threads"], [`/threads/${id}/runs`, "/runs/wait", "/docs", "/openapi.json", "/health"]],
  [["runs"], ["/threads/search", "/docs", "/openapi.json", "/health"]],
  [["meta"], ["/threads/search", `/threads/${id}/runs`, "/runs/wait", "/health"]],
])("without %j the rest is there", async ([disable, paths]) => {
  expect(await served(disable)).toEqual(paths);
});

test("what is not served is not documented", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }], disable: ["runs"] });
  const { text } = await server.get("/openapi.json");
  expect(text).toContain('"/threads/{thread_id}/state"');
  expect(text).not.toContain("/runs/wait");
});

test("a part that is not known is named", () => {
  const options: AppOptions = JSON.parse('{"disable":["thread"]}');
  expect(() => new LangGraphApp(options)).toThrow("disable.0: Invalid option");
});
