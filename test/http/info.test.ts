import { expect, test } from "vitest";
import { LangGraphApp } from "langgraph-functions";
import { shout } from "../support/graphs.ts";
import { startServer } from "../support/server.ts";

const graphs = [{ name: "shout", graph: shout }];

test("the server says that it is there, and what it can do", async () => {
  await using server = await startServer({ graphs });
  expect(await server.get("/ok")).toMatchObject({ status: 200, body: { ok: true } });
  expect(await server.get("/ok?check_db=1")).toMatchObject({ status: 200, body: { ok: true } });
  expect((await server.get("/info")).body).toEqual({
    version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    context: "js",
    flags: { assistants: true, crons: true, strict_resume: true, stream_namespaces: true },
  });
});

test("without its database it is there, and says so of the database when it is asked", async () => {
  await using app = new LangGraphApp().register({ name: "shout", graph: shout });
  app.doors({
    settings: {
      database: { url: "postgres://nobody@127.0.0.1:1/nowhere", poolSize: 1, migrate: true },
      logLevel: "silent",
    },
  });
  const ask = async (path: string) => app.fetch(new Request(`http://localhost/api${path}`));
  expect((await ask("/ok")).status).toBe(200);
  const refused = await ask("/ok?check_db=1");
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({
    error: "unavailable",
    detail: expect.stringContaining("The database cannot be reached"),
  });
});

test("what /ok is asked must make sense", async () => {
  await using server = await startServer({ graphs });
  expect(await server.get("/ok?check_db=maybe")).toMatchObject({
    status: 422,
    body: { detail: expect.stringContaining("check_db") },
  });
});
