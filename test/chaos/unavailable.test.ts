import { LangGraphApp } from "langgraph-functions";
import { expect, test, vi } from "vitest";
import { z } from "zod";
import { testDatabase } from "../support/database.ts";
import { allEvents } from "../support/events.ts";
import { gated, shout } from "../support/graphs.ts";
import { proxyTo } from "../support/proxy.ts";
import { startServer } from "../support/server.ts";

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const graphs = [{ name: "shout", graph: shout }];
const config = { configurable: { thread_id: "t" } };
const unavailable = {
  error: "unavailable",
  detail: expect.stringMatching(/^The database cannot be reached \(error id [0-9a-f-]{36}\)$/),
};

test("without the database the answer is 503, and all is well when it is back", async () => {
  await using database = await testDatabase();
  await using proxy = await proxyTo(database.url);
  await using server = await startServer({ graphs, local: { databaseUrl: proxy.url } });
  const body = { input: { text: "a" }, config };
  expect((await server.post("/graphs/shout/invoke", body)).status).toBe(200);

  await proxy.cut();
  const refused = [
    await server.post("/graphs/shout/invoke", body),
    await server.post("/graphs/shout/stream", body),
    await server.get("/graphs/shout/threads/t/state"),
  ];
  for (const answer of refused) {
    expect([answer.status, answer.body]).toEqual([503, unavailable]);
    expect(answer.headers.get("retry-after")).toBe("5");
    expect(answer.text).not.toMatch(/ECONN|127\.0\.0\.1|postgres/);
  }
  expect((await server.get("/health")).status).toBe(200);

  await proxy.mend();
  expect((await server.post("/graphs/shout/invoke", body)).status).toBe(200);
});

test("a rate limit lets nobody pass uncounted while the database is away", async () => {
  await using database = await testDatabase();
  await using proxy = await proxyTo(database.url);
  const rateLimit = { requests: 10, perSeconds: 60 };
  await using server = await startServer({ graphs, rateLimit, local: { databaseUrl: proxy.url } });
  await proxy.cut();
  const answer = await server.post("/graphs/shout/invoke", { input: { text: "a" } });
  expect([answer.status, answer.body]).toEqual([503, unavailable]);
});

test.each(["invoke", "stream"])(
  "a database that goes away in the middle of a run fails its %s cleanly",
  async (door) => {
    const { graph, entered, open } = gated();
    await using database = await testDatabase();
    await using proxy = await proxyTo(database.url);
    await using server = await startServer({
      graphs: [{ name: "gated", graph }],
      local: { databaseUrl: proxy.url },
    });
    const body = JSON.stringify({ input: { text: "a" }, config });
    const answer = fetch(`${server.url}/graphs/gated/${door}`, { method: "POST", body });
    await entered;
    await proxy.cut();
    open();
    const response = await answer;
    if (door === "invoke") {
      expect([response.status, await response.json()]).toEqual([503, unavailable]);
    } else {
      expect((await allEvents(response)).slice(-2)).toEqual([
        { event: "error", data: { error: unavailable.detail } },
        { event: "end", data: {} },
      ]);
    }
  },
);

test("a database that no longer answers costs a request bounded time, and the next one nothing", async () => {
  await using database = await testDatabase();
  await using proxy = await proxyTo(database.url);
  await using app = new LangGraphApp({ authLevel: "anonymous", logger: silent });
  app.register({ name: "shout", graph: shout });
  const opened = { url: proxy.url, poolSize: 4, migrate: false, timeoutMs: 1_000 };
  app.doors({ settings: { database: opened, logLevel: "silent" } });
  const invoke = async (text: string): Promise<number> => {
    const body = JSON.stringify({ input: { text }, config: { configurable: { thread_id: text } } });
    return (await app.fetch(new Request("http://here/api/graphs/shout/invoke", { method: "POST", body })))
      .status;
  };
  const several = ["a", "b", "c", "d"];
  expect(await Promise.all(several.map(invoke))).toEqual([200, 200, 200, 200]); // on each connection of the pool
  proxy.swallow();
  expect(await invoke("e")).toBe(503);
  await proxy.mend();
  expect(await invoke("f")).toBe(200);
});

test("a stream that can be followed no longer is broken off, with one line in the log and no stack beside it", async () => {
  const printed = vi.spyOn(console, "error").mockReturnValue();
  const { graph, entered, open } = gated();
  await using database = await testDatabase();
  await using proxy = await proxyTo(database.url);
  await using executor = await startServer({
    graphs: [{ name: "gated", graph }],
    local: { databaseUrl: database.url },
  });
  const warnings: string[] = [];
  const logger = { ...silent, warn: (_: object, message: string) => void warnings.push(message) };
  const local = { databaseUrl: proxy.url };
  await using follower = await startServer({ graphs: [{ name: "gated", graph }], local, logger });
  const body = { assistant_id: "gated", input: { text: "a" }, if_not_exists: "create" };
  const created = await executor.post("/threads/t/runs", body);
  await entered;
  const { run_id } = z.object({ run_id: z.string() }).parse(created.body);
  const response = await fetch(`${follower.url}/threads/t/runs/${run_id}/stream`);
  await proxy.cut();
  await expect(response.text()).rejects.toThrow("terminated");
  open();
  expect(warnings).toEqual(["A run cannot be followed; its client comes back"]);
  expect(printed).not.toHaveBeenCalled();
  printed.mockRestore();
});
