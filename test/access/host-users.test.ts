import { expect, test } from "vitest";
import { z } from "zod";
import { LangGraphApp } from "../../src/index.ts";
import { shout } from "../support/graphs.ts";
import { testDatabase } from "../support/database.ts";

const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

function threadRequest(): Request {
  const headers = { "content-type": "application/json" };
  return new Request("http://app.example/api/threads", { method: "POST", headers, body: "{}" });
}

function userOf(identity: string) {
  return { identity, display_name: identity, is_authenticated: true, permissions: [] };
}

/** As code without types hands it over. */
function untyped(value: unknown): object {
  return { user: value };
}

test.each([
  [null, 401],
  [{ id: 5 }, 500],
  [userOf(""), 500],
  ["ada", 500],
  [{ ...userOf("ada"), identity: 5 }, 500],
  [{ ...userOf("ada"), identity: ["ada"] }, 500],
  [userOf("a\u0000da"), 500],
  [userOf("\ud800"), 500],
  [userOf("x".repeat(513)), 500],
])(
  "what a host hands over as its user is not let in as somebody else, or as nobody: %.60j",
  async (user, status) => {
    await using database = await testDatabase();
    await using app = new LangGraphApp({ auth: "host", logger: SILENT });
    app.register({ name: "shout", graph: shout });
    app.doors({
      settings: { database: { url: database.url, poolSize: 2, migrate: false }, logLevel: "silent" },
    });
    expect((await app.fetch(threadRequest(), untyped(user))).status).toBe(status);
    expect(await database.query("select thread_id from langgraph.threads")).toEqual([]);
    expect((await app.fetch(threadRequest(), untyped(userOf("ada")))).status).toBe(200);
  },
);

test("an authenticator's null is nobody", async () => {
  await using database = await testDatabase();
  const authenticate = async () => z.custom<undefined>().parse(null);
  await using app = new LangGraphApp({ auth: { open: () => ({ authenticate }) }, logger: SILENT });
  app.register({ name: "shout", graph: shout });
  app.doors({
    settings: { database: { url: database.url, poolSize: 2, migrate: false }, logLevel: "silent" },
  });
  expect((await app.fetch(threadRequest())).status).toBe(401);
});
