import { afterAll, beforeAll, expect, test } from "vitest";
import { shout } from "../support/graphs.ts";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;

beforeAll(async () => {
  const graphs = (["anonymous", "function", "admin"] as const).map((authLevel) => ({
    name: authLevel,
    graph: shout,
    authLevel,
  }));
  const local = { keys: { function: "function-key", admin: "admin-key" } };
  server = await startServer({ graphs: [...graphs, { name: "unspecified", graph: shout }], local });
});

afterAll(async () => server[Symbol.asyncDispose]());

const input = { input: { text: "a" } };
const unauthorized = {
  error: "unauthorized",
  detail: "A valid function key is required, as the header x-functions-key or the query parameter code",
};
const forbidden = { error: "forbidden", detail: "This function key does not open this endpoint" };

/** What each key opens, by the level of the graph. */
const OPENS = [
  { key: undefined, anonymous: 200, function: 401, admin: 401, unspecified: 401 },
  { key: "wrong", anonymous: 200, function: 401, admin: 401, unspecified: 401 },
  { key: "", anonymous: 200, function: 401, admin: 401, unspecified: 401 },
  { key: "function-key", anonymous: 200, function: 200, admin: 403, unspecified: 200 },
  { key: "admin-key", anonymous: 200, function: 200, admin: 200, unspecified: 200 },
] as const;

test.each(OPENS)(
  "the key $key opens what its level opens, as a header and in the query",
  async ({ key, ...levels }) => {
    for (const [graph, status] of Object.entries(levels)) {
      const headers = {
        "content-type": "application/json",
        ...(key === undefined ? {} : { "x-functions-key": key }),
      };
      const query = key === undefined ? "" : `?code=${key}`;
      const answers = [
        await server.post(`/graphs/${graph}/invoke`, input, { headers }),
        await server.post(`/graphs/${graph}/stream`, input, { headers }),
        await server.post(`/graphs/${graph}/invoke${query}`, input),
        await server.post(`/graphs/${graph}/stream${query}`, input),
      ];
      expect([graph, ...answers.map((answer) => answer.status)]).toEqual([
        graph,
        status,
        status,
        status,
        status,
      ]);
      for (const { body } of answers) {
        if (status === 401) expect(body).toEqual(unauthorized);
        if (status === 403) expect(body).toEqual(forbidden);
      }
      const state = await server.get(`/graphs/${graph}/threads/t/state`, { headers });
      expect([graph, state.status]).toEqual([graph, status === 200 ? 404 : status]);
    }
  },
);

test("a caller without the key learns nothing of the body's faults", async () => {
  expect((await server.post("/graphs/function/invoke", "{")).body).toEqual(unauthorized);
});

test.each([
  ["/openapi.json", 401],
  ["/health/details", 401],
  ["/health", 200],
  ["/status", 401],
  ["/status/summary", 401],
])("%s without a key answers %i", async (path, status) => {
  expect((await server.get(path)).status).toBe(status);
  expect((await server.get(path, { headers: { "x-functions-key": "function-key" } })).status).toBe(200);
});

test("an app may ask for the admin key everywhere", async () => {
  await using strict = await startServer({
    graphs: [{ name: "shout", graph: shout }],
    authLevel: "admin",
    local: { keys: { function: "function-key", admin: "admin-key" } },
  });
  expect((await strict.post("/graphs/shout/invoke?code=function-key", input)).body).toEqual(forbidden);
  expect((await strict.get("/openapi.json?code=function-key")).body).toEqual(forbidden);
  expect((await strict.post("/graphs/shout/invoke?code=admin-key", input)).status).toBe(200);
});

test("without configured keys everything is open", async () => {
  await using open = await startServer({ graphs: [{ name: "shout", graph: shout, authLevel: "admin" }] });
  expect((await open.post("/graphs/shout/invoke", input)).status).toBe(200);
});
