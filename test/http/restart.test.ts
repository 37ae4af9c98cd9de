import { expect, test, vi } from "vitest";
import { testDatabase } from "../support/database.ts";
import { abortable, shout } from "../support/graphs.ts";
import { startServer } from "../support/server.ts";

test("what a server was doing when it stopped, and what waited for that, is begun by the next one at once", async () => {
  await using database = await testDatabase();
  const local = { databaseUrl: database.url };
  const { graph, entered } = abortable();
  {
    await using server = await startServer({ graphs: [{ name: "work", graph }], local });
    for (const text of ["first", "second"]) {
      const body = { assistant_id: "work", input: { text }, if_not_exists: "create" };
      expect((await server.post("/threads/t/runs", body)).status).toBe(200);
    }
    await entered;
  }
  const unfinished = "select from langgraph.runs where status = 'pending'";
  expect(await database.query(unfinished)).toHaveLength(2);
  await using _ = await startServer({ graphs: [{ name: "work", graph: shout }], local });
  // Their messages were in the first server's queue; the patience for one that is late is half a minute.
  await vi.waitFor(async () => expect(await database.query(unfinished)).toEqual([]), { timeout: 25_000 });
  await vi.waitFor(
    async () =>
      expect(await database.query("select distinct status from langgraph.runs")).toEqual([
        { status: "success" },
      ]),
    { timeout: 25_000 },
  );
});
