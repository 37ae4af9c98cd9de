import { Hono } from "hono";
import { LangGraphApp } from "langgraph-functions";
import { serveLocally } from "langgraph-functions/local";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { testDatabase } from "../support/database.ts";
import { pausing } from "../support/graphs.ts";
import { ask, makeLink, open, respond, settled, startAsking, submit } from "../support/resume-links.ts";

beforeEach(() => void vi.stubEnv("RESUME_LINK_SECRETS", "a-secret-of-the-tests-of-32-bytes-or-more"));
afterEach(() => void vi.unstubAllEnvs());

const withKey = (key: string) => ({
  headers: { "content-type": "application/json", "x-functions-key": key },
});

test("a link needs the graph's key to be made, and none to be used", async () => {
  const graphs = [
    { name: "plain", graph: pausing },
    { name: "guarded", graph: pausing, authLevel: "admin" as const },
  ];
  const local = { keys: { function: "function-key", admin: "admin-key" } };
  await using server = await startAsking({ graphs, local });
  for (const [graph, answers] of [
    ["plain", { none: 401, "function-key": 200, "admin-key": 200 }],
    ["guarded", { none: 401, "function-key": 403, "admin-key": 200 }],
  ] as const) {
    const run = { assistant_id: graph, if_not_exists: "create", input: { value: "May I?" } };
    await server.post(`/threads/${graph}/runs/wait`, run, withKey("admin-key"));
    const make = async (key: string) => server.post(`/threads/${graph}/resume-links`, {}, withKey(key));
    for (const [key, status] of Object.entries(answers)) expect((await make(key)).status).toBe(status);
    const link = z.object({ url: z.url() }).parse((await make("admin-key")).body);
    expect((await open(link)).status).toBe(200);
    expect((await submit(link, { text: "yes" })).status).toBe(202);
    const state = async () => (await server.get(`/threads/${graph}`, withKey("admin-key"))).body;
    await vi.waitFor(async () => expect(await state()).toMatchObject({ values: { text: "yes" } }), 20_000);
  }
});

test("links are below the public address, where there is one", async () => {
  vi.stubEnv("PUBLIC_URL", "https://agents.example.com/to/us/");
  await using server = await startAsking({ routePrefix: "elsewhere" });
  await ask(server);
  const { url } = await makeLink(server);
  expect(url).toMatch(/^https:\/\/agents\.example\.com\/to\/us\/resume\/[\w-]{96}$/);
  const here = url.replace("https://agents.example.com/to/us", server.url);
  expect((await respond({ url: here }, "yes")).status).toBe(202);
  const card = await server.get("/.well-known/agent-card.json?assistant_id=pausing");
  expect(card.body).toMatchObject({
    url: expect.stringMatching(/^https:\/\/agents\.example\.com\/to\/us\/a2a\//),
  });
});

test("a webhook's receiver sends the link to somebody, and the run goes on with the answer, webhook and all", async () => {
  await using database = await testDatabase();
  const mails: { readonly question: unknown; readonly url: string }[] = [];
  const ends: unknown[] = [];
  const Told = z.object({
    thread_id: z.string(),
    status: z.string(),
    values: z.record(z.string(), z.unknown()),
  });
  const routes = new Hono().post("/ended", async (context) => {
    const { thread_id, status, values } = Told.parse(await context.req.json());
    if (status !== "interrupted") return context.json(ends.push(values["text"]));
    const { url } = await app.resumeLink(thread_id, {
      choices: [{ label: "Approve", response: true }],
      message: "An order waits",
      baseUrl: `${server.url}/`,
    });
    mails.push({ question: values["value"], url });
    return context.body(null, 204);
  });
  const logger = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const app = new LangGraphApp({
    authLevel: "anonymous",
    customRoutes: routes,
    logger,
    webhooks: { allowPrivateAddresses: true },
  }).register({ name: "pausing", graph: pausing });
  await using server = await serveLocally(app, { port: 0, databaseUrl: database.url });
  await fetch(`${server.url}/threads/t/runs`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      assistant_id: "pausing",
      if_not_exists: "create",
      input: { value: "May I?" },
      webhook: `${server.url}/ended`,
    }),
  });
  const [mail] = await vi.waitUntil(() => (mails.length > 0 ? mails : undefined), 20_000);
  expect(mail).toEqual({ question: "May I?", url: expect.stringContaining(`${server.url}/resume/`) });
  expect((await open({ url: mail?.url ?? "" })).text).toContain("An order waits");
  expect((await submit({ url: mail?.url ?? "" }, { choice: "0" })).status).toBe(202);
  await vi.waitFor(() => expect(ends).toEqual([true]), 20_000);
});

test("code in the process is told what is wrong with what it asks for", async () => {
  await using database = await testDatabase();
  await using app = new LangGraphApp({ authLevel: "anonymous" }).register({
    name: "pausing",
    graph: pausing,
  });
  const resumeLinkSecrets = ["a-secret-of-the-tests-of-32-bytes-or-more"];
  const settings = {
    database: { url: database.url, poolSize: 2, migrate: false },
    logLevel: "silent",
  } as const;
  app.doors({ settings: { ...settings, resumeLinkSecrets } });
  const baseUrl = "https://agents.example.com/api";
  await expect(app.resumeLink("t")).rejects.toThrow(
    "baseUrl: required where the setting PUBLIC_URL is missing",
  );
  await expect(app.resumeLink("t", { baseUrl: "agents" })).rejects.toThrow("baseUrl: Invalid URL");
  await expect(app.resumeLink("t", { baseUrl, expiresIn: 0 })).rejects.toThrow("expiresIn:");
  await expect(app.resumeLink("t", { baseUrl })).rejects.toMatchObject({ code: "not_found" });
  await expect(app.resumeLink("", { baseUrl })).rejects.toMatchObject({ code: "invalid_thread_id" });
});

test("links can be left out, with the runs", async () => {
  await using server = await startAsking({ disable: ["runs"] });
  const making = await server.post("/threads/t/resume-links", {});
  const opening = await server.get(`/resume/${"A".repeat(96)}`);
  for (const { status, text } of [making, opening]) {
    expect(status).toBe(404);
    expect(text).toContain("There is nothing at");
  }
});

test("a thread answered by link is as idle as any other", async () => {
  await using server = await startAsking();
  await ask(server);
  await respond(await makeLink(server), "yes");
  await settled(server);
  expect((await server.get("/threads/t")).body).toMatchObject({ status: "idle", interrupts: {} });
});
