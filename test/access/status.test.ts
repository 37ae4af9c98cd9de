import { LangGraphApp, jwt, type AppOptions, type Invocation } from "langgraph-functions";
import { describe, expect, test } from "vitest";
import { testDatabase } from "../support/database.ts";
import { shout } from "../support/graphs.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { TOKEN_SECRET, tokenOf } from "../support/tokens.ts";

const graphs = [{ name: "shout", graph: shout }];
const keys = { function: "function-key", admin: "admin-key" };
const auth = jwt({ secret: TOKEN_SECRET });
const paths = ["/status", "/status/summary"];

async function statuses(server: TestServer, headers: Record<string, string> = {}): Promise<unknown[]> {
  return Promise.all(paths.map(async (path) => (await server.get(path, { headers })).status));
}
const withKey = (key: string) => ({ "x-functions-key": key });
const asAda = async () => ({ authorization: `Bearer ${await tokenOf("ada")}` });

describe.each<[string, AppOptions]>([
  ["without users", {}],
  ["with users", { auth }],
])("%s", (_, options) => {
  test("the status asks for a function key, whatever else its callers show", async () => {
    await using server = await startServer({ graphs, ...options, local: { keys } });
    expect(await statuses(server)).toEqual([401, 401]);
    expect(await statuses(server, withKey("wrong"))).toEqual([401, 401]);
    expect(await statuses(server, await asAda())).toEqual([401, 401]);
    expect(await statuses(server, withKey("function-key"))).toEqual([200, 200]);
    expect(await statuses(server, withKey("admin-key"))).toEqual([200, 200]);
  });

  test("publicStatus opens the summary to monitors, which says one word, and nothing else", async () => {
    await using server = await startServer({ graphs, ...options, publicStatus: true, local: { keys } });
    expect(await statuses(server)).toEqual([401, 200]);
    expect((await server.get("/status/summary")).text).toBe('{"status":"ok"}');
  });
});

test("an app for admins keeps its status for them", async () => {
  await using server = await startServer({ graphs, authLevel: "admin", local: { keys } });
  expect(await statuses(server, withKey("function-key"))).toEqual([403, 403]);
  expect(await statuses(server, withKey("admin-key"))).toEqual([200, 200]);
});

test("where users sign in and no key is set, nobody sees what all of them do", async () => {
  await using server = await startServer({ graphs, auth });
  expect(await statuses(server)).toEqual([401, 401]);
  expect(await statuses(server, await asAda())).toEqual([401, 401]);
  expect((await server.get("/status")).body).toEqual({
    error: "unauthorized",
    detail: expect.stringContaining("set FUNCTION_KEY or ADMIN_KEY"),
  });
});

test("without keys and users everything is open, the status as well", async () => {
  await using server = await startServer({ graphs });
  expect(await statuses(server)).toEqual([200, 200]);
  await using open = await startServer({ graphs, auth: "none", local: { keys } });
  expect(await statuses(open)).toEqual([200, 200]);
});

test("a web framework around the app says who its operators are", async () => {
  await using database = await testDatabase();
  await using app = new LangGraphApp({ auth: "host" }).register({ name: "shout", graph: shout });
  app.doors({
    settings: { database: { url: database.url, poolSize: 2, migrate: false }, logLevel: "silent" },
  });
  const user = { identity: "ada", display_name: "Ada", is_authenticated: true, permissions: [] };
  const status = async (invocation: Partial<Invocation>) =>
    (await app.fetch(new Request("http://here/api/status"), invocation)).status;
  expect(await status({ user })).toBe(401);
  expect(await status({ user, authLevel: "function" })).toBe(200);
});
