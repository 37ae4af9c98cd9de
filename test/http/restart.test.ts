import { Client } from "pg";
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

test("a run that is claimed while its server stops is put back, for the next one to begin", async () => {
  await using database = await testDatabase();
  await database.query(
    `create function wait_for_test() returns trigger language plpgsql as $$
       begin perform pg_advisory_xact_lock(42); return new; end $$;
     create trigger wait_for_test before update on langgraph.runs
       for each row when (new.status = 'running') execute function wait_for_test()`,
  );
  const holder = new Client({ connectionString: database.directUrl });
  await holder.connect();
  await holder.query("select pg_advisory_lock(42)");
  const local = { databaseUrl: database.url };
  const server = await startServer({ graphs: [{ name: "shout", graph: shout }], local });
  const body = { assistant_id: "shout", input: { text: "first" }, if_not_exists: "create" };
  expect((await server.post("/threads/t/runs", body)).status).toBe(200);
  await vi.waitFor(
    async () =>
      expect(
        await database.query(
          "select from pg_locks where locktype = 'advisory' and objid = 42 and not granted",
        ),
      ).toHaveLength(1),
    { timeout: 15_000 },
  );
  const stopped = server[Symbol.asyncDispose]();
  await holder.end();
  await stopped;
  expect(await database.query("select status from langgraph.runs")).toEqual([{ status: "pending" }]);
  await database.query("drop function wait_for_test cascade");
});
