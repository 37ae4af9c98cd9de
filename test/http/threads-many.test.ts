import { expect, test } from "vitest";
import { testDatabase } from "../support/database.ts";
import { shout } from "../support/graphs.ts";
import { startServer } from "../support/server.ts";

test("of many threads, a search counts a thousand beyond its page", async () => {
  await using database = await testDatabase();
  await using server = await startServer({
    graphs: [{ name: "shout", graph: shout }],
    local: { databaseUrl: database.url },
  });
  await server.post("/threads/search", {});
  await database.query(`
    insert into langgraph.threads (thread_id, status, created_at, updated_at, state_updated_at)
    select 'thread-' || n, 'idle', now(), now(), now() from generate_series(1, 2000) n`);
  const totals = [0, 1_500].map(async (offset) => {
    const { headers } = await server.post("/threads/search", { limit: 10, offset });
    return headers.get("x-pagination-total");
  });
  expect(await Promise.all(totals)).toEqual(["1010", "2000"]);
  expect((await server.post("/threads/count", {})).body).toBe(2_000);
});
