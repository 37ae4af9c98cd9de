/** A real Postgres that stops, hangs and comes back, as `/status` sees it. */

import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEmbeddedPostgres } from "langgraph-functions/local";
import { expect, test, vi } from "vitest";
import { testDatabase } from "../support/database.ts";
import { shout } from "../support/graphs.ts";
import { proxyTo } from "../support/proxy.ts";
import { startServer } from "../support/server.ts";

const graphs = [{ name: "shout", graph: shout }];
const checks = { model: () => true };
const down = {
  status: 503,
  body: {
    status: "down",
    database: { status: "down", missing_migrations: null },
    queue: { status: "ok" },
    runs: null,
    checks: { model: { status: "ok" } },
  },
};

test("while Postgres is stopped the status is 503, with the rest of it, and 200 when it is back", async () => {
  const folder = await mkdtemp(join(tmpdir(), "langgraph-functions-status-"));
  await chmod(folder, 0o755);
  const settings = { shared_buffers: "32MB" };
  const first = await startEmbeddedPostgres({ folder, settings });
  {
    await using proxy = await proxyTo(first.url); // as it will come back on another port
    await using server = await startServer({ graphs, checks, local: { databaseUrl: proxy.url } });
    expect((await server.get("/status")).status).toBe(200);
    await first[Symbol.asyncDispose]();
    await vi.waitFor(async () => expect(await server.get("/status")).toMatchObject(down), {
      timeout: 30_000,
    });
    const { text } = await server.get("/status");
    expect(text).toMatch(/The database cannot be reached \(error id [0-9a-f-]{36}\)/);
    expect(text).not.toMatch(/ECONN|127\.0\.0\.1|postgres:/);

    await using second = await startEmbeddedPostgres({ folder, settings });
    proxy.pointTo(second.url);
    await vi.waitFor(
      async () =>
        expect(await server.get("/status")).toMatchObject({
          status: 200,
          body: { status: "ok", database: { status: "ok", missing_migrations: 0 }, runs: { waiting: 0 } },
        }),
      { timeout: 30_000 },
    );
  }
  await rm(folder, { recursive: true, force: true });
});

test("a database from which nothing comes back does not hold the answer up, nor is it asked again and again", async () => {
  await using database = await testDatabase();
  await using proxy = await proxyTo(database.url);
  await using server = await startServer({ graphs, checks, local: { databaseUrl: proxy.url } });
  expect((await server.get("/status")).status).toBe(200);
  proxy.forget();
  proxy.swallow();
  // The pool's own patience is 15 s: had the answer waited for it, it would say that the database cannot be reached.
  await vi.waitFor(async () => expect(await server.get("/status")).toMatchObject(down), { timeout: 30_000 });
  expect((await server.get("/status")).text).toContain("It has not answered within 3000 ms");
});
