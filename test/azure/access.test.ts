import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BuiltApp, buildApp } from "../support/build.ts";
import { type AzureHost, startAzureHost } from "../support/azure-host/host.ts";

let app: BuiltApp;
let host: AzureHost;

beforeAll(async () => {
  app = await buildApp(path.join(import.meta.dirname, "fixtures/edges.ts"));
  host = await startAzureHost({ entry: app.entry, keys: { function: "fn", admin: "master" } });
});
afterAll(async () => {
  await host[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

const call = (method: string, route: string, key?: string) =>
  fetch(`${host.url}/${route}`, { method, ...(key && { headers: { "x-functions-key": key } }) });

async function verifiedLevel(response: Response): Promise<string> {
  return (await response.json()).authLevel;
}

test.each([
  { route: "health", level: "anonymous", opens: [undefined, "wrong", "fn", "master"] },
  { route: "graphs/edge/threads/t1/state", level: "function", opens: ["fn", "master"] },
  { route: "anything", level: "function", opens: ["fn", "master"] },
])("$route is opened by $opens", async ({ route, level, opens }) => {
  for (const key of [undefined, "wrong", "fn", "master"]) {
    const response = await call("GET", route, key);
    expect([key, response.status]).toEqual([key, opens.includes(key) ? 200 : 401]);
    if (response.ok) expect(await verifiedLevel(response)).toBe(level);
  }
});

test("a function key does not open an admin function", async () => {
  expect((await call("POST", "graphs/edge/invoke")).status).toBe(401);
  expect((await call("POST", "graphs/edge/invoke", "fn")).status).toBe(401);
  expect(await verifiedLevel(await call("POST", "graphs/edge/invoke", "master"))).toBe("admin");
});

test("a key may come in the query", async () => {
  expect((await call("GET", "anything?code=fn")).status).toBe(200);
});

test.each(["graphs/edge/invoke/", "GRAPHS/Edge/invoke", "graphs/edge/inv%6Fke"])(
  "%s is the graph's own function to the host",
  async (route) => {
    expect((await call("POST", route, "fn")).status).toBe(401);
  },
);

test.each([
  ["POST", "graphs%2Fedge%2Finvoke"],
  ["POST", "graphs//edge/invoke"],
  ["GET", "graphs/edge/invoke"],
])(
  "%s %s comes through the catch-all, which tells the app that no more than its own level is verified",
  async (method, route) => {
    expect(await verifiedLevel(await call(method, route, "master"))).toBe("function");
  },
);

test("without a prefix the routes begin at the root, where the catch-all takes the empty path too", async () => {
  const hostJson = { extensions: { http: { routePrefix: "" } } };
  await using bare = await startAzureHost({ entry: app.entry, keys: false, hostJson });
  expect((await fetch(`${bare.url}/health`)).status).toBe(200);
  expect((await fetch(bare.url)).status).toBe(200);
});

test("what no route covers is unknown to the host", async () => {
  expect((await fetch(new URL("/elsewhere", host.url))).status).toBe(404);
});
