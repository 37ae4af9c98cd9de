import { expect, test } from "vitest";
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

test("each key has a count of its own, and requests without a good one count for none", async () => {
  const local = { keys: { function: "function-key", admin: "admin-key" } };
  await using server = await startServer({ graphs, rateLimit, local });
  const statuses = async (key: string) => {
    const path = `/graphs/shout/invoke?code=${key}`;
    return [await server.post(path, body), await server.post(path, body), await server.post(path, body)].map(
      ({ status }) => status,
    );
  };
  expect(await statuses("wrong")).toEqual([401, 401, 401]);
  expect(await statuses("function-key")).toEqual([200, 200, 429]);
  expect(await statuses("admin-key")).toEqual([200, 200, 429]);
  const kept = await server.database.query("select key from langgraph.rate_limits");
  expect(JSON.stringify(kept)).not.toMatch(/function-key|admin-key/);
});

test("of requests that come at once no more than the limit pass", async () => {
  await using server = await startServer({ graphs, rateLimit });
  const answers = Array.from({ length: 6 }, async () => server.post("/graphs/shout/invoke", body));
  const statuses = (await Promise.all(answers)).map(({ status }) => status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(2);
  expect(statuses.filter((status) => status === 429)).toHaveLength(4);
});
