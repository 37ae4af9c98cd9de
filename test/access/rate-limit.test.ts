import { expect, test } from "vitest";
import { LangGraphApp } from "langgraph-functions";
import { testDatabase } from "../support/database.ts";
import { shout } from "../support/graphs.ts";
import { startServer } from "../support/server.ts";

const rateLimit = { requests: 2, perSeconds: 3_600 };
const graphs = [{ name: "shout", graph: shout }];
const body = { input: { text: "a" } };

test("requests over the limit are told when to come back, on every endpoint of a graph", async () => {
  await using server = await startServer({ graphs, rateLimit });
  for (let request = 0; request < 2; request += 1) {
    expect((await server.post("/graphs/shout/invoke", body)).status).toBe(200);
  }
  const refused = [
    await server.post("/graphs/shout/invoke", body),
    await server.post("/graphs/shout/stream", body),
    await server.get("/graphs/shout/threads/t/state"),
  ];
  for (const answer of refused) {
    expect([answer.status, answer.body]).toEqual([
      429,
      { error: "rate_limited", detail: "More than 2 requests in 3600 s" },
    ]);
    const retryAfter = Number(answer.headers.get("retry-after"));
    expect(retryAfter).toBeGreaterThan(3_500);
    expect(retryAfter).toBeLessThanOrEqual(3_600);
  }
  expect((await server.get("/health")).status).toBe(200);
});

test("servers on one database count together", async () => {
  await using first = await startServer({ graphs, rateLimit });
  await using second = await startServer({ graphs, rateLimit, local: { databaseUrl: first.database.url } });
  const statuses = [];
  for (const server of [first, second, first, second]) {
    statuses.push((await server.post("/graphs/shout/invoke", body)).status);
  }
  expect(statuses).toEqual([200, 200, 429, 429]);
});

test("each key has a count of its own, and keys are not kept as they are", async () => {
  const local = { keys: { function: "function-key", admin: "admin-key" } };
  await using server = await startServer({ graphs, rateLimit, local });
  const statuses = async (key: string) => {
    const path = `/graphs/shout/invoke?code=${key}`;
    return [await server.post(path, body), await server.post(path, body), await server.post(path, body)].map(
      ({ status }) => status,
    );
  };
  expect(await statuses("function-key")).toEqual([200, 200, 429]);
  expect(await statuses("admin-key")).toEqual([200, 200, 429]);
  const kept = await server.database.query("select key from langgraph.rate_limits");
  expect(JSON.stringify(kept)).not.toMatch(/function-key|admin-key/);
});

test("every answer says what is left, and of how much", async () => {
  await using server = await startServer({ graphs, rateLimit });
  const answers = [
    await server.post("/graphs/shout/invoke", body),
    await server.post("/graphs/shout/invoke", { input: 1 }),
    await server.post("/graphs/shout/invoke", body),
  ];
  expect(answers.map(({ status }) => status)).toEqual([200, 422, 429]);
  for (const [index, { headers }] of answers.entries()) {
    expect(headers.get("ratelimit-policy")).toBe('"default";q=2;w=3600');
    const left = /^"default";r=(\d+);t=(\d+)$/.exec(headers.get("ratelimit") ?? "");
    expect(Number(left?.[1])).toBe(Math.max(0, 1 - index));
    expect(Number(left?.[2])).toBeGreaterThan(3_500);
    expect(Number(left?.[2])).toBeLessThanOrEqual(3_600);
  }
  expect(answers[2]?.headers.get("ratelimit")).toMatch(`t=${answers[2]?.headers.get("retry-after")}`);
  expect((await server.get("/health")).headers.get("ratelimit")).toBeNull();
});

test("wrong keys are counted against their address, also on routes that have no limit of their own", async () => {
  const local = { keys: { function: "function-key" } };
  await using server = await startServer({ graphs, rateLimit, local });
  const answers = [
    await server.post("/graphs/shout/invoke?code=wrong", body),
    await server.get("/openapi.json?code=wrong"),
    await server.post("/graphs/shout/invoke?code=wrong", body),
  ];
  expect(answers.map(({ status }) => status)).toEqual([401, 401, 429]);
  expect(answers[1]?.headers.get("ratelimit")).toMatch(/^"default";r=0;t=\d+$/);
  expect(Number(answers[2]?.headers.get("retry-after"))).toBeGreaterThan(3_500);
  // Behind an address of the private network may be a proxy with everybody.
  expect((await server.post("/graphs/shout/invoke?code=function-key", body)).status).toBe(200);
});

test("who has guessed too often at an address of its own is not asked any more, not even with the right key", async () => {
  await using database = await testDatabase();
  await using app = new LangGraphApp({ rateLimit }).register({ name: "shout", graph: shout });
  app.doors({
    settings: { database: { url: database.url, poolSize: 2, migrate: true }, logLevel: "silent" },
  });
  const statuses = async (authLevel: "anonymous" | "function", address: string) => {
    const init = { method: "POST", body: JSON.stringify(body) };
    const url = "http://localhost/api/graphs/shout/invoke";
    return (await app.fetch(new Request(url, init), { authLevel, address })).status;
  };
  expect(await statuses("function", "203.0.113.9")).toBe(200);
  expect(await statuses("anonymous", "203.0.113.9")).toBe(401);
  expect(await statuses("anonymous", "203.0.113.9")).toBe(401);
  expect(await statuses("function", "203.0.113.9")).toBe(429);
  expect(await statuses("anonymous", "203.0.113.9")).toBe(429);
  expect(await statuses("function", "203.0.113.10")).toBe(200);
});

test("all addresses of one IPv6 network count together, and an IPv4 address however it is written", async () => {
  await using database = await testDatabase();
  await using app = new LangGraphApp({ rateLimit }).register({ name: "shout", graph: shout });
  app.doors({
    settings: { database: { url: database.url, poolSize: 2, migrate: true }, logLevel: "silent" },
  });
  const statuses = async (authLevel: "anonymous" | "function", addresses: readonly string[]) => {
    const found: number[] = [];
    for (const address of addresses) {
      const init = { method: "POST", body: JSON.stringify(body) };
      const request = new Request("http://localhost/api/graphs/shout/invoke", init);
      found.push((await app.fetch(request, { authLevel, address })).status);
    }
    return found;
  };
  const sameNetwork = ["2001:db8:0:1::1", "2001:0db8::1:aaaa:0:0:2", "2001:DB8:0:1:ffff::"];
  expect(await statuses("function", sameNetwork)).toEqual([200, 200, 429]);
  expect(await statuses("function", ["2001:db8:0:2::1", "2001:db8::1"])).toEqual([200, 200]);
  expect(await statuses("function", ["192.0.2.7", "::ffff:192.0.2.7", "192.0.2.7"])).toEqual([200, 200, 429]);
  expect(await statuses("anonymous", ["2a00:1:2:3::1", "2a00:1:2:3::2", "2a00:1:2:3::3"])).toEqual([
    401, 401, 429,
  ]);
  expect(await statuses("function", ["2a00:1:2:3::4", "2a00:1:2:4::1"])).toEqual([429, 200]);
});

test("a key that nobody has checked makes no other caller", async () => {
  await using server = await startServer({ graphs, rateLimit });
  const statuses = [];
  for (const key of ["one", "two", "three"]) {
    const headers = { "content-type": "application/json", "x-functions-key": key };
    statuses.push((await server.post("/graphs/shout/invoke", body, { headers })).status);
  }
  expect(statuses).toEqual([200, 200, 429]);
});

test("those who have signed in are counted one by one, whatever their address and however long their name", async () => {
  await using database = await testDatabase();
  await using app = new LangGraphApp({ rateLimit }).register({ name: "shout", graph: shout });
  app.doors({
    settings: { database: { url: database.url, poolSize: 2, migrate: true }, logLevel: "silent" },
  });
  const status = async (identity: string, address: string) => {
    const init = { method: "POST", body: JSON.stringify(body) };
    const user = { identity, display_name: identity, is_authenticated: true, permissions: [] };
    const request = new Request("http://localhost/api/graphs/shout/invoke", init);
    return (await app.fetch(request, { authLevel: "function", address, user })).status;
  };
  const ada = "ada".repeat(170); // nearly as long as may be
  expect([
    await status(ada, "192.0.2.1"),
    await status(ada, "192.0.2.2"),
    await status(ada, "192.0.2.3"),
  ]).toEqual([200, 200, 429]);
  expect(await status("bob", "192.0.2.1")).toBe(200);
});

test("an instance that knows that nothing is left does not ask the database again", async () => {
  await using server = await startServer({ graphs, rateLimit });
  await server.post("/graphs/shout/invoke", body);
  await server.post("/graphs/shout/invoke", body);
  await server.database.query("update langgraph.rate_limits set points = 0");
  expect((await server.post("/graphs/shout/invoke", body)).status).toBe(429);
  const [row] = await server.database.query("select points from langgraph.rate_limits");
  expect(row).toEqual({ points: 0 });
});

test("of requests that come at once no more than the limit pass", async () => {
  await using server = await startServer({ graphs, rateLimit });
  const answers = Array.from({ length: 6 }, async () => server.post("/graphs/shout/invoke", body));
  const statuses = (await Promise.all(answers)).map(({ status }) => status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(2);
  expect(statuses.filter((status) => status === 429)).toHaveLength(4);
});
