/** One of each kind of what keeps others out; all of it is in test/access, which has a command of its own. */

import { afterEach, expect, test, vi } from "vitest";
import { apiKeys, AppError, jwt, type Authentication } from "langgraph-functions";
import { openKeyRing } from "../../src/api-keys.ts";
import { readSettings } from "../../src/settings.ts";
import { columnsWith, FIRST, SECRET as TOLD, serve } from "../support/encryption.ts";
import { shout } from "../support/graphs.ts";
import { ask, makeLink, respond, runCount, settled, startAsking } from "../support/resume-links.ts";
import { startServer } from "../support/server.ts";
import { TOKEN_SECRET, tokenOf } from "../support/tokens.ts";
import { appWithUsers } from "../support/users.ts";

const graphs = [{ name: "shout", graph: shout }];
const body = { input: { text: "a" } };
afterEach(() => void vi.unstubAllEnvs());

const json = { "content-type": "application/json" };

test("two users do not see each other's threads, runs and items", async () => {
  await using app = await appWithUsers({ graphs });
  const [ada, bob, nobody] = [app.as("ada"), app.as("bob"), app.as(undefined)];
  const run = { assistant_id: "shout", ...body, if_not_exists: "create" };
  expect((await ada.ask("POST", "/threads/t/runs/wait", run)).body).toEqual({ text: "a!" });
  await ada.ask("PUT", "/store/items", { namespace: ["n"], key: "k", value: { of: "ada" } });
  for (const [path, mine] of [
    ["/threads/t", { thread_id: "t" }],
    ["/threads/t/state", { values: { text: "a!" } }],
    ["/threads/t/runs", [{ status: "success" }]],
  ] as const) {
    expect((await ada.ask("GET", path)).body).toMatchObject(mine);
    expect((await nobody.ask("GET", path)).status).toBe(401);
  }
  expect((await bob.ask("GET", "/threads/t")).status).toBe(404);
  expect((await bob.ask("GET", "/threads/t/state")).status).toBe(404);
  expect((await bob.ask("GET", "/threads/t/runs")).body).toEqual([]);
  expect((await bob.ask("POST", "/threads/search", {})).body).toEqual([]);
  expect((await bob.ask("POST", "/store/items/search", {})).body).toEqual({ items: [] });
  expect((await bob.ask("DELETE", "/threads/t")).status).toBe(404);
  expect((await ada.ask("DELETE", "/threads/t")).status).toBe(204);
});

test("a token lets in, and one that another has signed does not", async () => {
  await using server = await startServer({ auth: jwt({ secret: TOKEN_SECRET }), graphs });
  const invoke = async (secret: string) => {
    const authorization = `Bearer ${await tokenOf("ada", secret)}`;
    return (await server.post("/graphs/shout/invoke", body, { headers: { ...json, authorization } })).status;
  };
  expect(await invoke(TOKEN_SECRET)).toBe(200);
  expect(await invoke(TOKEN_SECRET.toUpperCase())).toBe(401);
  expect((await server.post("/graphs/shout/invoke", body)).status).toBe(401);
});

test("what an authenticator or a context factory of one's own throws is the answer if it is an AppError, else kept back", async () => {
  const refuse = (request: Request, header: string): void => {
    const kind = request.headers.get(header);
    if (kind === "known") throw new AppError("forbidden", "Not on Sundays");
    if (kind === "unknown") throw new Error("secret of ours");
  };
  const auth: Authentication = {
    open: () => ({
      authenticate: async (request) => {
        refuse(request, "x-user");
        return { identity: "ada", display_name: "Ada", is_authenticated: true, permissions: [] };
      },
    }),
  };
  const context = (request: Request): void => refuse(request, "x-context");
  await using server = await startServer({ auth, graphs: [{ name: "shout", graph: shout, context }] });
  const invoke = async (headers: Readonly<Record<string, string>>) =>
    server.post("/graphs/shout/invoke", body, { headers: { ...json, ...headers } });
  expect((await invoke({})).status).toBe(200);
  for (const header of ["x-user", "x-context"]) {
    const known = { status: 403, body: { error: "forbidden", detail: "Not on Sundays" } };
    expect(await invoke({ [header]: "known" })).toMatchObject(known);
    const { status, text } = await invoke({ [header]: "unknown" });
    expect([status, text]).toEqual([500, expect.not.stringContaining("secret")]);
  }
});

test("a key lets in, and one that is almost the same does not", async () => {
  await using server = await startServer({ auth: apiKeys(), graphs });
  await using ring = openKeyRing(readSettings({ DATABASE_URL: server.database.url }));
  const { key } = await ring.create({ identity: "ada" });
  const invoke = async (shown: string) =>
    (await server.post("/graphs/shout/invoke", body, { headers: { ...json, "x-api-key": shown } })).status;
  expect(await invoke(key)).toBe(200);
  expect(await invoke(`${key}x`)).toBe(401);
});

test("requests over the limit are refused", async () => {
  await using server = await startServer({ graphs, rateLimit: { requests: 2, perSeconds: 3_600 } });
  const statuses = [];
  for (let request = 0; request < 3; request += 1)
    statuses.push((await server.post("/graphs/shout/invoke", body)).status);
  expect(statuses).toEqual([200, 200, 429]);
});

test("what is nested too deep, compressed or of LangChain's own format is refused, and every answer has its headers", async () => {
  await using server = await startServer({ graphs });
  const deep = `{"input":${"[".repeat(20_000)}${"]".repeat(20_000)}}`;
  const constructor = { input: { text: { lc: 1, type: "secret", id: ["DATABASE_URL"] } } };
  const answers = [
    await server.post("/graphs/shout/invoke", deep),
    await server.post("/graphs/shout/invoke", body, { headers: { ...json, "content-encoding": "gzip" } }),
    await server.post("/graphs/shout/invoke", constructor),
    await server.post("/graphs/shout/invoke", body),
  ];
  expect(answers.map(({ status }) => status)).toEqual([400, 415, 422, 200]);
  for (const { headers } of answers) {
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("x-request-id")).toMatch(/./);
  }
});

test("with a key for it, the database has nothing to read of what is said", async () => {
  await using server = await serve(FIRST);
  const run = { assistant_id: "shout", input: { text: TOLD }, if_not_exists: "create" };
  expect((await server.post("/threads/t/runs/wait", run)).body).toEqual({ text: `${TOLD}!` });
  expect(await columnsWith(server.database, TOLD)).toEqual([]);
});

test("a link answers its interrupt once", async () => {
  vi.stubEnv("RESUME_LINK_SECRETS", TOKEN_SECRET);
  await using server = await startAsking();
  await ask(server);
  const link = await makeLink(server);
  const forged = `${link.url.slice(0, -1)}${link.url.endsWith("_") ? "-" : "_"}`;
  expect((await respond({ url: forged }, "forged")).status).toBe(404);
  expect((await respond(link, "first")).status).toBe(202);
  expect(await settled(server)).toMatchObject({ text: "first" });
  expect((await respond(link, "second")).status).toBe(410);
  expect(await runCount(server)).toBe(2);
});
